"""Says, a line each time it changes, what becomes of connections from here: nanoseconds since 1970, address, and reached (accepted),
refused or lost.
"""
import errno
import select
import socket
import sys
import time


STATES = {0: "reached", errno.ECONNREFUSED: "refused"}


def connect(targets, patience):
    """What each of the targets that answer within patience seconds says."""
    waiting, found = {}, {}
    for target in targets:
        s = socket.socket()
        s.setblocking(False)
        error = s.connect_ex(target)
        if error in (0, errno.EINPROGRESS):
            waiting[s] = target
        else:  # as where there is no route
            found[target] = STATES.get(error, "lost")
            s.close()
    end = time.monotonic() + patience
    while waiting and time.monotonic() < end:
        _, ready, _ = select.select([], list(waiting), [], max(0, end - time.monotonic()))
        for s in ready:
            error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            found[waiting.pop(s)] = STATES.get(error, "lost")
            s.close()
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
        found = connect(targets, patience)
        took = time.monotonic() - began
        if took < patience + every:  # else it was this process that stood still
            for target in targets:
                state = found.get(target, "lost")
                if last.get(target) != state:
                    last[target] = state
                    print(at, target[0], state, flush=True)
        time.sleep(max(0, every - took))


main(*sys.argv[1:])
