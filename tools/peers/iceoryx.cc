// SPDX-License-Identifier: GPL-2.0-only
/*
 * iceoryx (libiceoryx-posh-dev): publisher and subscriber of untyped chunks, the one
 * waiting for the other where it is slower, which is what loses nothing.
 *
 * Its daemon, RouDi, is needed once a machine. It is run here, in a process of its own
 * that ends with us, and has memory for what the benchmark sends; whoever has one running
 * already is told so.
 */
#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/internal/roudi/roudi.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/roudi/iceoryx_roudi_components.hpp>
#include <iceoryx_posh/roudi/roudi_config.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>

#include <csignal>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peers.h"

#define SLOTS		256	/* the most that a subscriber's queue can have */
#define CHUNKS		(2 * SLOTS + 16)
#define LONGEST		65536
#define MEET_US		1000

static pid_t roudi;
static pid_t owner;

struct pc_channel {
	char instance[32];
	size_t slots;
	std::unique_ptr<iox::popo::UntypedPublisher> publisher;
	std::unique_ptr<iox::popo::UntypedSubscriber> subscriber;
};

static void quiet()
{
	iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kOff,
								 iox::log::LogLevelOutput::kHideLogLevel);
}

static void run_roudi(int ready)
{
	static const uint32_t lengths[] = { 8, 64, 256, 1024, 4096, LONGEST };
	iox::mepoo::MePooConfig pools;
	iox::RouDiConfig_t config;
	sigset_t end;
	int sig;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != owner)
		_exit(1);
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	/* Ctrl-C is for the benchmark, which then ends this. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sig = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(sig, STDOUT_FILENO);
	dup2(sig, STDERR_FILENO);
	quiet();
	for (uint32_t len : lengths)
		pools.addMemPool({ len, CHUNKS });
	auto group = iox::posix::PosixGroup::getGroupOfCurrentProcess().getName();
	config.m_sharedMemorySegments.push_back({ group, group, pools });
	{
		iox::roudi::IceOryxRouDiComponents components(config);
		iox::roudi::RouDi daemon(components.rouDiMemoryManager, components.portManager,
					 iox::roudi::RouDi::RoudiStartupParameters(
						iox::roudi::MonitoringMode::OFF, false));
		if (write(ready, "", 1) == 1)
			sigwait(&end, &sig);
	}
	_exit(0);
}

static void stop_roudi()
{
	if (!roudi || getpid() != owner)
		return;
	kill(roudi, SIGTERM);
	while (waitpid(roudi, NULL, 0) < 0 && errno == EINTR)
		;
	roudi = 0;
}

/* Once, for all channels. -EBUSY: there is one, and it is not ours. */
static int start_roudi()
{
	int ready[2], err = 0;
	char byte;

	if (roudi)
		return 0;
	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	owner = getpid();
	fflush(NULL);
	roudi = fork();
	if (!roudi) {
		close(ready[0]);
		run_roudi(ready[1]);
	}
	close(ready[1]);
	if (roudi < 0) {
		err = -errno;
		roudi = 0;
	} else if (read(ready[0], &byte, 1) != 1) {
		stop_roudi();
		err = -EBUSY;
	} else {
		atexit(stop_roudi);
	}
	close(ready[0]);
	return err;
}

static int available()
{
	return start_roudi();
}

static const char *unfit(const struct pc_shape *shape)
{
	return shape->len > LONGEST ? "its memory was laid out for records up to 65536 bytes" : NULL;
}

static int make(const struct pc_shape *shape, struct pc_channel **out)
{
	static unsigned int number;
	auto *c = new (std::nothrow) pc_channel();
	int err = start_roudi();

	if (err || !c) {
		delete c;
		return err ? err : -ENOMEM;
	}
	snprintf(c->instance, sizeof(c->instance), "%u", number++);
	c->slots = peer_slots(shape) < SLOTS ? peer_slots(shape) : SLOTS;
	*out = c;
	return 0;
}

static void destroy(struct pc_channel *c)
{
	delete c;
}

static iox::capro::IdString_t text(const char *s)
{
	return iox::capro::IdString_t(iox::cxx::TruncateToCapacity, s, strlen(s));
}

/* The two meet through the daemon, which looks for news every 100 ms. */
static int join(struct pc_channel *c, unsigned int side)
{
	static const char *const names[] = { "shmring-bench-0", "shmring-bench-1" };
	static unsigned int process = 2;
	iox::capro::ServiceDescription service("shmring", text(c->instance), "records");

	if (process == 2) {
		quiet();
		process = side;
		iox::runtime::PoshRuntime::initRuntime(text(names[process]));
	}
	if (!side) {
		iox::popo::PublisherOptions options;

		options.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
		c->publisher = std::make_unique<iox::popo::UntypedPublisher>(service, options);
		while (!c->publisher->hasSubscribers())
			usleep(MEET_US);
	} else {
		iox::popo::SubscriberOptions options;

		options.queueCapacity = c->slots;
		options.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
		c->subscriber = std::make_unique<iox::popo::UntypedSubscriber>(service, options);
		while (c->subscriber->getSubscriptionState() != iox::SubscribeState::SUBSCRIBED)
			usleep(MEET_US);
	}
	return 0;
}

static void leave(struct pc_channel *c)
{
	c->publisher.reset();
	c->subscriber.reset();
}

static inline int iox_send(struct pc_channel *c, const void *buf, size_t len)
{
	bool sent = false;

	while (!sent)
		c->publisher->loan((uint32_t)len)
			.and_then([&](auto &payload) {
				memcpy(payload, buf, len);
				c->publisher->publish(payload);
				sent = true;
			})
			.or_else([](auto &) { shmring_pause(); });
	return 0;
}

static inline int iox_recv(struct pc_channel *c, void *buf, size_t len)
{
	bool got = false;

	while (!got)
		c->subscriber->take()
			.and_then([&](const void *payload) {
				memcpy(buf, payload, len);
				c->subscriber->release(payload);
				got = true;
			})
			.or_else([](auto &) { shmring_pause(); });
	return 0;
}

PC_LOOPS(iox)

extern "C" const struct pc_contender peer_iceoryx = {
	.name = "iceoryx",
	.what = "iceoryx publisher and subscriber, of at most 256 records",
	.where = NULL,
	.most = 0,
	.in_place = false,
	.spins = true,
	.ours = false,
	.available = available,
	.unfit = unfit,
	.make = make,
	.destroy = destroy,
	.join = join,
	.leave = leave,
	.counters = NULL,
	.statistics = NULL,
	.memory = NULL,
	.produce = iox_produce,
	.consume = iox_consume,
	.produce_batch = NULL,
	.consume_batch = NULL,
	.client = iox_client,
	.server = iox_server,
};
