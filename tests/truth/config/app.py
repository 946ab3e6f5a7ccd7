"""The application behind the servers of Python."""
import asyncio
import time

HEADERS = (('Content-Type', 'application/json'), ('Content-Length', '2'))


def wsgi(environ, start):
    environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))
    if 'slow' in environ['PATH_INFO']:
        time.sleep(1)
    start('200 OK', list(HEADERS))
    return [b'{}']


async def asgi(scope, receive, send):
    if scope['type'] != 'http':
        return
    while (await receive()).get('more_body'):
        pass
    if 'slow' in scope['path']:
        await asyncio.sleep(1)
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS]
    await send({'type': 'http.response.start', 'status': 200, 'headers': headers})
    await send({'type': 'http.response.body', 'body': b'{}'})
