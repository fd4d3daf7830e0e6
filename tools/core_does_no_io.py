#!/usr/bin/env python3
"""Proves on the archive itself that the core does no I/O: its undefined symbols name no socket, file, clock,
thread or source of chance, and no stream of the standard library.

    tools/core_does_no_io.py ARCHIVE [NM]
"""

import re
import subprocess
import sys

# C names must match whole; `read` must not catch a function of ours, whose name is mangled anyway.
C_NAMES = {
    "a socket": """
        socket socketpair bind listen accept accept4 connect send sendto sendmsg sendmmsg recv
        recvfrom recvmsg recvmmsg shutdown setsockopt getsockopt getsockname getpeername getaddrinfo
        freeaddrinfo poll ppoll select pselect epoll_create epoll_create1 epoll_ctl epoll_wait
        epoll_pwait eventfd timerfd_create timerfd_settime signalfd inotify_init inotify_init1 pipe
        pipe2 splice sendfile
    """,
    "a file": """
        open open64 openat openat64 creat close read pread pread64 readv write pwrite pwrite64
        writev lseek lseek64 fopen fopen64 fdopen freopen fclose fread fwrite fgets fgetc fputs
        fputc fprintf vfprintf printf vprintf puts putchar perror fflush stdin stdout stderr
        __fprintf_chk __printf_chk stat fstat lstat stat64 fstat64 unlink rename mkdir opendir
        readdir ioctl fcntl fcntl64 mmap mmap64 syscall getenv secure_getenv setenv system popen
        execve fork vfork posix_spawn waitpid kill
    """,
    "a clock": """
        clock clock_gettime clock_nanosleep gettimeofday time ftime nanosleep usleep sleep localtime
        localtime_r gmtime mktime strftime timer_create alarm setitimer
    """,
    "a thread": """
        pthread_create pthread_join pthread_detach pthread_mutex_lock pthread_mutex_trylock
        pthread_mutex_unlock pthread_cond_wait pthread_cond_signal pthread_cond_broadcast
        pthread_rwlock_rdlock pthread_rwlock_wrlock pthread_once thrd_create sem_wait sem_post
        sched_yield
    """,
    "chance": """
        getrandom getentropy rand srand rand_r random srandom drand48 lrand48 arc4random
        arc4random_buf
    """,
}
NAMES = {name: kind for kind, names in C_NAMES.items() for name in names.split()}

CPP_NAMES = (
    ("a clock", re.compile(r"std::chrono::.*clock::now\(")),
    ("a thread", re.compile(r"std::(thread|condition_variable|this_thread|__future_base|__atomic_futex)")),
    ("chance", re.compile(r"std::random_device")),
    ("a file", re.compile(r"std::(ios_base::Init|basic_([io]?fstream|filebuf)|filesystem)")),
    ("a stream", re.compile(r"std::(cout|cerr|clog|cin\b)")),
    ("TLS", re.compile(r"^(SSL|EVP|BIO|RAND|ERR)_")),
)


def forbidden(symbols):
    """(symbol, what it reaches) for every undefined symbol the core may not have."""
    for symbol in symbols:
        plain = symbol.split("@")[0]
        if plain in NAMES:
            yield plain, NAMES[plain]
            continue
        for kind, pattern in CPP_NAMES:
            if pattern.search(symbol):
                yield symbol, kind
                break


def undefined_symbols(archive, nm):
    """(object file, symbol) pairs as nm lists them."""
    listed = subprocess.run([nm, "--undefined-only", "--demangle", archive], check=True,
                            capture_output=True, text=True).stdout
    member = archive
    for line in listed.splitlines():
        if line.endswith(":"):
            member = line[:-1]
        elif line.strip().startswith("U "):
            yield member, line.strip()[2:]


def main(arguments):
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    pairs = list(undefined_symbols(arguments[0], arguments[1] if len(arguments) > 1 else "nm"))
    if not pairs:
        print(f"{arguments[0]}: no symbols read, so nothing is proved", file=sys.stderr)
        return 1
    found = [(member, symbol, kind) for member, name in pairs for symbol, kind in forbidden([name])]
    for member, symbol, kind in found:
        print(f"{member}: {symbol} reaches {kind}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
