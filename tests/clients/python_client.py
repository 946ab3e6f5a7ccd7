#!/usr/bin/env python3
"""What Python's http.client does with a connection that it keeps.

    python_client.py METHOD URL GAP_MS [CA_FILE]

Three requests on one HTTPConnection object, with a gap between the first and the second. Prints one
JSON line a request: {"outcome": "200" | "Exception: message", "reused": true | false}.
"""
import http.client
import json
import ssl
import sys
import time
import urllib.parse

LIMIT = 5  # seconds for one request


def main():
    method, url, gap, *ca = sys.argv[1:]
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == 'https':
        context = ssl.create_default_context(cafile=ca[0])
        connection = http.client.HTTPSConnection(parts.netloc, timeout=LIMIT, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=LIMIT)
    for i in range(3):
        if i == 1:
            time.sleep(int(gap) / 1000)
        # After an exception the object has closed its socket, and opens another for the next request.
        reused = connection.sock is not None
        try:
            connection.request(method, parts.path)
            answer = connection.getresponse()
            answer.read()
            outcome = str(answer.status)
        except (OSError, http.client.HTTPException) as trouble:
            connection.close()
            outcome = f'{type(trouble).__name__}: {trouble}'
        print(json.dumps({'outcome': outcome, 'reused': reused}), flush=True)


if __name__ == '__main__':
    main()
