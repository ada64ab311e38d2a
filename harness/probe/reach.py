"""Says, a line each time it changes, which addresses can be reached from here: nanoseconds since 1970, address, reached or lost.

A connection that is refused has found its way there and back, too.
"""
import errno
import select
import socket
import sys
import time


def reached(targets, patience):
    """The targets that answer within patience seconds."""
    waiting, found = {}, set()
    for target in targets:
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(target)
        waiting[s] = target
    end = time.monotonic() + patience
    while waiting and time.monotonic() < end:
        _, ready, _ = select.select([], list(waiting), [], max(0, end - time.monotonic()))
        for s in ready:
            if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.ECONNREFUSED):
                found.add(waiting[s])
            s.close()
            del waiting[s]
    for s in waiting:
        s.close()
    return found


def main(length, every, patience, *addresses):
    length, every, patience = float(length), float(every), float(patience)
    targets = [(host, int(port)) for host, port in (a.split(":") for a in addresses)]
    last = {}
    end = time.monotonic() + length
    while time.monotonic() < end:
        began, at = time.monotonic(), time.time_ns()
        found = reached(targets, patience)
        took = time.monotonic() - began
        if took < patience + every:  # else it was this process that stood still
            for target in targets:
                state = "reached" if target in found else "lost"
                if last.get(target) != state:
                    last[target] = state
                    print(at, target[0], state, flush=True)
        time.sleep(max(0, every - took))


main(*sys.argv[1:])
