#!/usr/bin/env python3
"""A driver for `hangup prove` and `hangup audit`: an HTTP client with a connection pool, of Python's
standard library, that performs HANGUP_STEPS and says how each request went.

    hangup prove 01 --expect retry-once -- python3 examples/driver.py --retry 1

--retry N                repeats a request up to N times on a new connection, if that is safe: GET, and
                         POST with a key
--timeout SECONDS        gives a request up after that (10)
--fresh-on-foreground    drops the pool when the app comes to the foreground
--close                  says Connection: close, and keeps no connection

Put your own client in the place of `Client`; the rest is what a driver does.
"""
import argparse
import concurrent.futures
import http.client
import json
import os
import ssl
import sys
import time
import urllib.parse
import urllib.request
import uuid

PATH = '/api/entitlement/get'
CONTENT = b'{"receipt":"MIAGCSqGSIb3"}'


class Client:
    def __init__(self, url, options):
        self.url, self.options = urllib.parse.urlsplit(url), options
        self.pool = []  # connections that are idle

    def connect(self):
        host, port, timeout = self.url.hostname, self.url.port, self.options.timeout
        if self.url.scheme == 'http':
            return http.client.HTTPConnection(host, port, timeout=timeout)
        context = ssl.create_default_context()  # SSL_CERT_FILE has hangup's CA
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)

    def ask_once(self, method, headers, content, fresh):
        connection = self.connect() if fresh or not self.pool else self.pool.pop()
        try:
            connection.request(method, self.url.path + PATH, content, headers)
            response = connection.getresponse()
            response.read()
        except BaseException:
            connection.close()
            raise
        if self.options.close or response.will_close:
            connection.close()
        else:
            self.pool.append(connection)
        return response.status

    def ask(self, method, headers, content=None):
        """Returns the status; raises what went wrong."""
        safe = method == 'GET' or 'Idempotency-Key' in headers
        for retry in range(self.options.retry + 1):
            last = retry == self.options.retry or not safe
            try:
                status = self.ask_once(method, headers, content, fresh=retry > 0)
                if status != 408 or last:  # 408: the server was about to close this connection
                    return status
            except (OSError, http.client.HTTPException):
                if last:
                    raise

    def foreground(self):
        if self.options.fresh_on_foreground:
            while self.pool:
                self.pool.pop().close()


class Driver:
    def __init__(self, client):
        self.client = client
        self.requests = 0
        self.report = open(os.environ.get('HANGUP_REPORT', os.devnull), 'a', buffering=1)
        self.say(driver=1)

    def say(self, **line):
        print(json.dumps(line), file=self.report)

    def request(self, step, number):
        method = 'GET' if step == 'get' else 'POST'
        headers = {'Hangup-Call': str(number)}  # names the call, so that all its attempts are known
        if self.client.options.close:
            headers['Connection'] = 'close'
        if method == 'POST':
            headers['Content-Type'] = 'application/json'
        if step == 'post-key':
            headers['Idempotency-Key'] = str(uuid.uuid4())
        begin, status, error = time.monotonic(), 0, ''
        try:
            status = self.client.ask(method, headers, CONTENT if method == 'POST' else None)
        except (OSError, http.client.HTTPException) as trouble:
            error = str(trouble) or type(trouble).__name__
        self.say(n=number, step=step, ok=200 <= status < 300, status=status,
                 ms=round(1000 * (time.monotonic() - begin), 1), error=error)

    def mark(self, name):
        """The app goes to the background, or comes back. Answered before anything else is done."""
        request = urllib.request.Request(os.environ['HANGUP_MARK_URL'], json.dumps({'mark': name}).encode(),
                                         {'Content-Type': 'application/json'})
        urllib.request.urlopen(request, timeout=10).close()

    def step(self, word):
        kind, _, times = word.partition('*')
        if kind in ('get', 'post', 'post-key'):
            numbers = range(self.requests + 1, self.requests + 1 + int(times or 1))
            self.requests += len(numbers)
            with concurrent.futures.ThreadPoolExecutor(len(numbers)) as threads:
                list(threads.map(lambda number: self.request(kind, number), numbers))
        elif kind == 'pause':
            time.sleep(float(os.environ.get('HANGUP_PAUSE', '0')))
        elif kind in ('background', 'foreground'):
            self.mark(kind)
            if kind == 'foreground':
                self.client.foreground()
        else:
            sys.exit(f'driver.py: the step "{word}" is not known')


def main():
    options = argparse.ArgumentParser(description='An HTTP client for hangup to judge.')
    options.add_argument('--retry', type=int, default=0)
    options.add_argument('--timeout', type=float, default=10)
    options.add_argument('--fresh-on-foreground', action='store_true')
    options.add_argument('--close', action='store_true')
    driver = Driver(Client(os.environ['HANGUP_URL'], options.parse_args()))
    for word in os.environ.get('HANGUP_STEPS', 'get get pause get').split():
        driver.step(word)


if __name__ == '__main__':
    main()
