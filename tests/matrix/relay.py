"""A TCP relay: it ACKs by itself, as docker-proxy does, and hands on what comes."""
import asyncio
import multiprocessing
import threading

LINGER = 30.0  # how long a connection that nobody ends may stay once its run is over


class Relay:
    """Each open() is a port of its own that leads to a port of this machine, until close() of that port. It is
    a process of its own, with descriptors of its own."""

    def __init__(self):
        self.lock = threading.Lock()
        self.orders, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context('fork').Process(target=relay, args=(theirs, self.orders), daemon=True)
        self.process.start()
        theirs.close()

    def open(self, port):
        with self.lock:
            self.orders.send(('open', port))
            return self.orders.recv()

    def close(self, port):
        with self.lock:
            self.orders.send(('close', port))
            self.orders.recv()

    def end(self):
        self.orders.close()
        self.process.join()


def relay(orders, other_end):
    other_end.close()
    asyncio.run(_relay(orders))


async def _relay(orders):
    loop, servers, links = asyncio.get_running_loop(), {}, {}
    while True:
        try:
            what, port = await loop.run_in_executor(None, orders.recv)
        except EOFError:
            break
        if what == 'open':
            mine = set()
            server = await asyncio.start_server(lambda r, w, port=port, mine=mine: link(r, w, port, mine), '127.0.0.1', 0)
            number = server.sockets[0].getsockname()[1]
            servers[number], links[number] = server, mine
            orders.send(number)
        else:
            servers.pop(port).close()
            loop.call_later(LINGER, lambda mine=links.pop(port): [task.cancel() for task in mine])
            orders.send(None)
    for mine in links.values():
        for task in mine:
            task.cancel()


async def link(reader, writer, port, mine):
    mine.add(asyncio.current_task())
    far_writer = None
    try:
        far_reader, far_writer = await asyncio.open_connection('127.0.0.1', port)
        await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))
        writer.close()
        far_writer.close()
    except (OSError, asyncio.CancelledError):
        writer.transport.abort()
        if far_writer:
            far_writer.transport.abort()
    finally:
        mine.discard(asyncio.current_task())


async def pipe(reader, writer):
    """Ends with FIN; an RST becomes one, as in relays that forward octets alone."""
    try:
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
    except OSError:
        pass
    try:
        if writer.can_write_eof():
            writer.write_eof()
    except (OSError, RuntimeError):
        pass
