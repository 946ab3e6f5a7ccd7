"""A TCP relay: it ACKs by itself, as docker-proxy does, and hands on what comes."""
import asyncio
import threading


class Relay:
    """Each open() is a port of its own that leads to a port of this machine."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def open(self, port):
        return asyncio.run_coroutine_threadsafe(self._open(port), self.loop).result()

    async def _open(self, port):
        async def serve(reader, writer):
            try:
                far_reader, far_writer = await asyncio.open_connection('127.0.0.1', port)
            except OSError:
                writer.transport.abort()
                return
            await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))
            writer.close()
            far_writer.close()

        server = await asyncio.start_server(serve, '127.0.0.1', 0)
        return server.sockets[0].getsockname()[1]


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
