/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of recorded rings. All numbers are little-endian; shmring-record(1) has the
 * format for people.
 *
 *   header   struct capture_header
 *   record   struct capture_record, then its payload; as often as there are records
 *   end      struct capture_record with length CAPTURE_END, then struct capture_end
 *
 * A file without its end was cut. Every part but the header's carries a CRC-32 over what
 * follows it, so that a cut or a fault is seen where it is.
 */
#ifndef SHMRING_CAPTURE_H
#define SHMRING_CAPTURE_H

#include <endian.h>

#include "tool.h"

#define CAPTURE_MAGIC	"shmring\x1a"	/* 8 bytes, without the NUL */
#define CAPTURE_VERSION	1
#define CAPTURE_END	0xffffffffu

/**
 * struct capture_header - the beginning of the file
 * @magic: CAPTURE_MAGIC
 * @version: CAPTURE_VERSION
 * @size: of this header: records begin there
 * @start: wall-clock time of the beginning, ns since 1970
 * @data_size: of the ring
 * @ring: its name
 * @resv: zero
 * @crc: over all bytes before it
 */
struct capture_header {
	char magic[8];
	uint32_t version;
	uint32_t size;
	uint64_t start;
	uint64_t data_size;
	char ring[SHMRING_NAME_MAX];
	uint32_t resv;
	uint32_t crc;
};

/**
 * struct capture_record - a record's head
 * @length: bytes of the payload behind it, or CAPTURE_END
 * @crc: over length, time and payload
 * @time: when it was received, ns since the beginning
 */
struct capture_record {
	uint32_t length;
	uint32_t crc;
	uint64_t time;
};

/* What is behind the last head: how many records and payload bytes there were. */
struct capture_end {
	uint64_t records;
	uint64_t bytes;
};

_Static_assert(sizeof(struct capture_header) == 104, "a file's header has 104 bytes");
_Static_assert(sizeof(struct capture_record) == 16, "a record's head has 16 bytes");

uint32_t capture_crc(uint32_t crc, const void *data, size_t len);

/* These fill in what is to be written. */
void capture_make_header(struct capture_header *h, const char *ring, uint64_t data_size);
void capture_make_record(struct capture_record *rec, uint32_t length, uint64_t time,
			 const void *payload, size_t len);

/**
 * struct capture_reader - a file that is being read
 * @file: it
 * @header: checked, in the byte order of this machine
 * @payload: of the last record
 * @cap: bytes there
 * @length: bytes used there
 * @time: of the last record
 * @records: read so far
 * @bytes: of payload read so far
 * @offset: in the file
 */
struct capture_reader {
	FILE *file;
	struct capture_header header;
	char *payload;
	size_t cap;
	size_t length;
	uint64_t time;
	uint64_t records;
	uint64_t bytes;
	uint64_t offset;
};

/*
 * capture_next() returns 1: a record; 0: the end, and the file is whole; and as
 * capture_open() -ENODATA: the file is cut here; -EBADMSG: it is damaged here;
 * -EBADFD: no recording; -EOPNOTSUPP: of a later version; or what read(2) gives.
 */
int capture_open(struct capture_reader *in, FILE *file);
int capture_next(struct capture_reader *in);
void capture_close(struct capture_reader *in);

#endif /* SHMRING_CAPTURE_H */
