/* A disk whose syncs take a while: preloaded, fsync and fdatasync return BENCH_SYNC_US
   microseconds after they were called at the earliest. Meanwhile the processor is free. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

typedef int (*sync_call)(int);

static int wait_for(sync_call call, int fd)
{
    struct timespec until;
    const char *text = getenv("BENCH_SYNC_US");
    long span = text ? atol(text) * 1000 : 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int result = call(fd);
    until.tv_nsec += span;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    prctl(PR_SET_TIMERSLACK, 1000UL); /* Linux adds 50 microseconds otherwise. */
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    return result;
}

int fsync(int fd)
{
    return wait_for((sync_call)dlsym(RTLD_NEXT, "fsync"), fd);
}

int fdatasync(int fd)
{
    return wait_for((sync_call)dlsym(RTLD_NEXT, "fdatasync"), fd);
}
