// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of recorded rings: their parts made, read and checked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture.h"

#define PIECE	(1u << 20)	/* a length is believed this far at a time */

/* CRC-32 as of Ethernet, zip and gzip, four bytes at a time. */
uint32_t capture_crc(uint32_t crc, const void *data, size_t len)
{
	static uint32_t table[4][256];
	const unsigned char *p = data;
	uint32_t c;
	int i, k;

	if (!table[0][1]) {
		for (i = 0; i < 256; i++) {
			for (c = (uint32_t)i, k = 0; k < 8; k++)
				c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
			table[0][i] = c;
		}
		for (k = 1; k < 4; k++)
			for (i = 0; i < 256; i++)
				table[k][i] = table[k - 1][i] >> 8 ^
					      table[0][table[k - 1][i] & 0xff];
	}
	crc = ~crc;
	for (; len >= 4; len -= 4, p += 4) {
		crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
		       (uint32_t)p[3] << 24;
		crc = table[3][crc & 0xff] ^ table[2][crc >> 8 & 0xff] ^
		      table[1][crc >> 16 & 0xff] ^ table[0][crc >> 24];
	}
	for (; len; len--)
		crc = table[0][(crc ^ *p++) & 0xff] ^ crc >> 8;
	return ~crc;
}

static uint32_t header_crc(const struct capture_header *h)
{
	return capture_crc(0, h, offsetof(struct capture_header, crc));
}

static uint32_t record_crc(const struct capture_record *rec, const void *payload, size_t len)
{
	uint32_t crc = capture_crc(0, &rec->length, sizeof(rec->length));

	crc = capture_crc(crc, &rec->time, sizeof(rec->time));
	return capture_crc(crc, payload, len);
}

void capture_make_header(struct capture_header *h, const char *ring, uint64_t data_size)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	memset(h, 0, sizeof(*h));
	memcpy(h->magic, CAPTURE_MAGIC, sizeof(h->magic));
	h->version = htole32(CAPTURE_VERSION);
	h->size = htole32(sizeof(*h));
	h->start = htole64((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	h->data_size = htole64(data_size);
	strncpy(h->ring, ring, sizeof(h->ring) - 1);
	h->crc = htole32(header_crc(h));
}

void capture_make_record(struct capture_record *rec, uint32_t length, uint64_t time,
			 const void *payload, size_t len)
{
	rec->length = htole32(length);
	rec->time = htole64(time);
	rec->crc = htole32(record_crc(rec, payload, len));
}

/* All of @len bytes, or why not; -ENODATA: the file ends before them. */
static int take(struct capture_reader *in, void *to, size_t len)
{
	size_t got = 0, n;

	while (got < len) {
		errno = 0;
		n = fread((char *)to + got, 1, len - got, in->file);
		got += n;
		in->offset += n;
		if (got == len)
			break;
		if (feof(in->file))
			return -ENODATA;
		if (errno == EINTR && !tool_stopped)
			clearerr(in->file);
		else
			return errno ? -errno : -EIO;
	}
	return 0;
}

int capture_open(struct capture_reader *in, FILE *file)
{
	struct capture_header *h = &in->header;
	uint32_t more;
	char skip[64];
	int err;

	memset(in, 0, sizeof(*in));
	in->file = file;
	err = take(in, h, sizeof(*h));
	if (memcmp(h->magic, CAPTURE_MAGIC, in->offset < 8 ? in->offset : 8) || !in->offset)
		return err && err != -ENODATA ? err : -EBADFD;
	if (err)
		return err;
	if (header_crc(h) != le32toh(h->crc))
		return -EBADMSG;
	h->version = le32toh(h->version);
	h->size = le32toh(h->size);
	h->start = le64toh(h->start);
	h->data_size = le64toh(h->data_size);
	h->ring[sizeof(h->ring) - 1] = 0;
	if (h->version != CAPTURE_VERSION)
		return -EOPNOTSUPP;
	if (h->size < sizeof(*h))
		return -EBADMSG;
	for (more = h->size - (uint32_t)sizeof(*h); more && !err; more -= (uint32_t)in->length) {
		in->length = more < sizeof(skip) ? more : sizeof(skip);
		err = take(in, skip, in->length);
	}
	return err;
}

static int take_payload(struct capture_reader *in, uint32_t length)
{
	size_t have = 0, part;
	char *more;
	int err;

	/* A length that a fault made must not cost more memory than there is file. */
	while (have < length) {
		part = length - have < PIECE ? length - have : PIECE;
		if (have + part > in->cap) {
			in->cap = in->cap * 2 > have + part ? in->cap * 2 : have + part;
			more = realloc(in->payload, in->cap);
			if (!more)
				return -ENOMEM;
			in->payload = more;
		}
		err = take(in, in->payload + have, part);
		if (err)
			return err;
		have += part;
	}
	in->length = length;
	return 0;
}

static int take_end(struct capture_reader *in, const struct capture_record *rec)
{
	struct capture_end end;
	int err = take(in, &end, sizeof(end));

	if (err)
		return err;
	if (record_crc(rec, &end, sizeof(end)) != le32toh(rec->crc) ||
	    le64toh(end.records) != in->records || le64toh(end.bytes) != in->bytes)
		return -EBADMSG;
	return 0;
}

int capture_next(struct capture_reader *in)
{
	struct capture_record rec;
	uint32_t length;
	int err;

	err = take(in, &rec, sizeof(rec));
	if (err)
		return err;
	length = le32toh(rec.length);
	if (length == CAPTURE_END)
		return take_end(in, &rec);
	if (length > SHMRING_DATA_MAX)
		return -EBADMSG;
	err = take_payload(in, length);
	if (err)
		return err;
	if (record_crc(&rec, in->payload, in->length) != le32toh(rec.crc))
		return -EBADMSG;
	in->time = le64toh(rec.time);
	in->records++;
	in->bytes += in->length;
	return 1;
}

void capture_close(struct capture_reader *in)
{
	free(in->payload);
	in->payload = NULL;
}
