/* Makes the n-th call by which a process changes files under one folder fail, or kills it there.
 *
 * Loaded before the C library (LD_PRELOAD), so that it sees the calls of SQLite as well as those
 * of Python. Does nothing until faults_arm() is called. Linux with glibc only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[PATH_MAX];
static size_t folder_length;
static long at, seen;
static int error_number, lasting, journal = -1;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

/* Makes call number `n` (from 1; 0 = none) fail with `error`, and all later ones, too, if `on`.
 * error 0: SIGKILL instead of the call. error -1: half of a write, then SIGKILL.
 * Each call is written to `log`, unless that is negative. */
void faults_arm(const char *place, long n, int error, int on, int log)
{
    strncpy(folder, place, sizeof folder - 1);
    folder_length = strlen(folder);
    at = n;
    seen = 0;
    error_number = error;
    lasting = on;
    journal = log;
}

long faults_seen(void) { return seen; }

#define REAL(name, type) \
    static type real; \
    if (!real) real = (type)dlsym(RTLD_NEXT, name)

typedef ssize_t (*write_type)(int, const void *, size_t);

static ssize_t plain_write(int handle, const void *bytes, size_t count)
{
    REAL("write", write_type);
    return real(handle, bytes, count);
}

static int inside(const char *path)
{
    return folder_length && path && strncmp(path, folder, folder_length) == 0 &&
           (path[folder_length] == '/' || path[folder_length] == 0);
}

static const char *path_of(int handle, char *room)
{
    char link[64];
    if (!folder_length) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t length = readlink(link, room, PATH_MAX - 1);
    if (length < 0) return NULL;
    room[length] = 0;
    return room;
}

/* 0: proceed; 1: fail with errno set; 2: write half, then die. */
static int struck(const char *call, const char *path)
{
    if (!inside(path)) return 0;
    pthread_mutex_lock(&guard);
    long mine = ++seen;
    if (journal >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%s %s\n", call, path);
        if (plain_write(journal, line, length) < 0) { /* the proof notices the missing line */ }
    }
    pthread_mutex_unlock(&guard);
    if (!at || (lasting ? mine < at : mine != at)) return 0;
    if (error_number == 0) raise(SIGKILL);
    if (error_number == -1) return 2;
    errno = error_number;
    return 1;
}

static void die(void) { raise(SIGKILL); }

ssize_t write(int handle, const void *bytes, size_t count)
{
    char room[PATH_MAX];
    int what = struck("write", path_of(handle, room));
    if (what == 1) return -1;
    if (what == 2) { plain_write(handle, bytes, count / 2); die(); }
    return plain_write(handle, bytes, count);
}

#define PWRITE(name, offset_type) \
    ssize_t name(int handle, const void *bytes, size_t count, offset_type offset) \
    { \
        typedef ssize_t (*type)(int, const void *, size_t, offset_type); \
        REAL(#name, type); \
        char room[PATH_MAX]; \
        int what = struck("write", path_of(handle, room)); \
        if (what == 1) return -1; \
        if (what == 2) { real(handle, bytes, count / 2, offset); die(); } \
        return real(handle, bytes, count, offset); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int handle, const struct iovec *parts, int count)
{
    typedef ssize_t (*type)(int, const struct iovec *, int);
    REAL("writev", type);
    char room[PATH_MAX];
    int what = struck("write", path_of(handle, room));
    if (what == 1) return -1;
    if (what == 2) { real(handle, parts, count / 2); die(); }
    return real(handle, parts, count);
}

#define BY_HANDLE(result, name, word, parameters, arguments) \
    result name parameters \
    { \
        typedef result (*type) parameters; \
        REAL(#name, type); \
        char room[PATH_MAX]; \
        int what = struck(word, path_of(handle, room)); \
        if (what == 1) return -1; \
        if (what == 2) die(); \
        return real arguments; \
    }
BY_HANDLE(int, fsync, "fsync", (int handle), (handle))
BY_HANDLE(int, fdatasync, "fsync", (int handle), (handle))
BY_HANDLE(int, ftruncate, "truncate", (int handle, off_t size), (handle, size))
BY_HANDLE(int, ftruncate64, "truncate", (int handle, off64_t size), (handle, size))
BY_HANDLE(int, fallocate, "allocate", (int handle, int mode, off_t from, off_t size),
          (handle, mode, from, size))
BY_HANDLE(int, fallocate64, "allocate", (int handle, int mode, off64_t from, off64_t size),
          (handle, mode, from, size))

#define BY_PATH(result, name, word, path, parameters, arguments) \
    result name parameters \
    { \
        typedef result (*type) parameters; \
        REAL(#name, type); \
        int what = struck(word, path); \
        if (what == 1) return -1; \
        if (what == 2) die(); \
        return real arguments; \
    }
BY_PATH(int, rename, "rename", to, (const char *from, const char *to), (from, to))
BY_PATH(int, renameat, "rename", to, (int a, const char *from, int b, const char *to),
        (a, from, b, to))
BY_PATH(int, renameat2, "rename", to,
        (int a, const char *from, int b, const char *to, unsigned int flags),
        (a, from, b, to, flags))
BY_PATH(int, link, "link", to, (const char *from, const char *to), (from, to))
BY_PATH(int, unlink, "unlink", path, (const char *path), (path))
BY_PATH(int, unlinkat, "unlink", path, (int at_folder, const char *path, int flags),
        (at_folder, path, flags))
BY_PATH(int, mkdir, "mkdir", path, (const char *path, mode_t mode), (path, mode))

static int opening(const char *path, int flags)
{
    /* Existing files are opened, not created, and take no room. */
    if (!(flags & O_CREAT) || (!(flags & O_EXCL) && access(path, F_OK) == 0)) return 0;
    int what = struck("create", path);
    if (what == 2) die();
    return what;
}

static mode_t mode_in(int flags, va_list *rest)
{
    return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(*rest, int) : 0;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        typedef int (*type)(const char *, int, ...); \
        REAL(#name, type); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = mode_in(flags, &rest); \
        va_end(rest); \
        return opening(path, flags) ? -1 : real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int at_folder, const char *path, int flags, ...) \
    { \
        typedef int (*type)(int, const char *, int, ...); \
        REAL(#name, type); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = mode_in(flags, &rest); \
        va_end(rest); \
        return opening(path, flags) ? -1 : real(at_folder, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

/* What C and C++ streams write does not pass through write(): their functions count instead. */
#define FOPEN(name) \
    FILE *name(const char *path, const char *mode) \
    { \
        typedef FILE *(*type)(const char *, const char *); \
        REAL(#name, type); \
        int what = strpbrk(mode, "wa+") ? struck("create", path) : 0; \
        if (what == 1) return NULL; \
        if (what == 2) die(); \
        return real(path, mode); \
    }
FOPEN(fopen)
FOPEN(fopen64)

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *stream)
{
    typedef size_t (*type)(const void *, size_t, size_t, FILE *);
    REAL("fwrite", type);
    char room[PATH_MAX];
    int what = folder_length ? struck("write", path_of(fileno(stream), room)) : 0;
    if (what == 1) return 0;
    if (what == 2) { real(bytes, size, count / 2, stream); fflush(stream); die(); }
    return real(bytes, size, count, stream);
}
