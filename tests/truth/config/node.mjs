import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';

const tls = { cert: fs.readFileSync('@cert@'), key: fs.readFileSync('@key@'), minVersion: 'TLSv1.3' };
const times = { keepAliveTimeout: 2000, headersTimeout: 1000, requestTimeout: 1000, connectionsCheckingInterval: 100 };

function answer(request, response) {
    request.resume();
    request.on('error', () => {});
    request.on('end', () => setTimeout(() => {
        response.setHeader('Content-Length', 2);
        response.end('{}');
    }, request.url.includes('slow') ? 1000 : 0));
}

const servers = [
    [http.createServer(times, answer), Number('@port_h1@')],
    [https.createServer({ ...tls, ...times }, answer), Number('@port_h1s@')],
    [http2.createSecureServer(tls, answer), Number('@port_h2@')],
    [http2.createServer(answer), Number('@port_h2c@')],
];
const requests = Number('@requests@');
for (const [server, port] of servers) {
    if (requests < 100000)
        server.maxRequestsPerSocket = requests;
    server.listen(port, '127.0.0.1');
}
process.on('SIGTERM', () => servers.forEach(([server]) => server.close()));
