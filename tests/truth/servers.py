"""The real servers, a row each: how one is started with short times, and which profile of hangup's, with the same times,
is held against it."""
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import peer

HERE = pathlib.Path(__file__).resolve().parent
ALL = ('h1', 'h1s', 'h2', 'h2c')
PATH = '/usr/sbin:/usr/bin:/sbin:/bin'  # Debian's programs alone
ENVIRONMENT = dict(os.environ, PATH=PATH)
FOREVER = {'requests': '100000', 'age': '3600'}
READY_WITHIN = 40  # seconds; a Java program compiles itself first


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    profile: str         # a mode of the catalogue
    files: tuple         # of config/, with @NAME@ to be filled in
    command: tuple       # started where these files are
    version: tuple       # a command that says it
    needs: tuple = ()    # what must be there beside the program of the command
    over: tuple = ALL
    params: dict = dataclasses.field(default_factory=dict)    # of the profile, so that it has the same times
    variants: dict = dataclasses.field(default_factory=dict)  # name -> further parameters of the profile
    reload: object = None  # a signal to the first process, or None: there is no such thing
    stop: object = signal.SIGTERM
    idle_end: float = 2.0  # when an idle connection is ended
    requests: int = 3      # in the variant "requests": the last one
    age: float = 1.0       # in the variant "age"
    content: str = 'content'  # the folder that has the file to be served
    jitter: float = 0.0    # how late it may be, as it polls
    patience: float = 4.5  # how long is waited for an end that may never come
    quick: bool = False    # in CI

    def installed(self):
        return shutil.which(self.command[0], path=PATH) is not None and all(pathlib.Path(one).exists() for one in self.needs)

    def version_said(self):
        done = subprocess.run(self.version, capture_output=True, text=True, check=False, env=ENVIRONMENT)
        found = re.search(r'\d+(\.\d+)+', done.stdout + done.stderr)
        return found.group() if found else 'of an unknown version'


class Real:
    """A real server, running."""
    paths = (peer.SLOW, peer.POST)

    def __init__(self, row, variant, folder, base_port, upstream):
        self.row, self.folder = row, folder
        self.ports = {over: base_port + i for i, over in enumerate(ALL)}
        folder.mkdir()
        folder.chmod(0o777)  # some give up root
        content = folder / row.content / peer.PATH[1:]
        content.parent.mkdir(parents=True)
        content.write_text('{}')
        fill = dict(FOREVER, dir=folder, upstream=upstream, cert=folder.parent / 'cert.pem', key=folder.parent / 'key.pem',
                    pair=folder.parent / 'pair.pem', p12=folder.parent / 'pair.p12', here=HERE / 'config', admin=base_port + 8)
        fill |= {f'port_{over}': port for over, port in self.ports.items()}
        if variant != 'plain':
            fill[variant] = {'requests': row.requests, 'age': f'{row.age:g}'}[variant]
        for name in row.files:
            (folder / name).write_text(filled((HERE / 'config' / name).read_text(), fill))
        self.log = open(folder / 'log', 'w+')
        self.process = subprocess.Popen([filled(word, fill) for word in row.command], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, start_new_session=True, cwd=folder, env=ENVIRONMENT)
        until = time.monotonic() + READY_WITHIN
        while not all(listens(self.ports[over]) for over in row.over):
            if self.process.poll() is not None or time.monotonic() > until:
                self.end()
                raise RuntimeError(f'{row.name} did not start: {self.said()[-1000:]}')
            time.sleep(0.1)

    def said(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def do(self, action):
        if action == 'kill':
            self.end()
        else:
            self.process.send_signal(self.row.reload if action == 'reload' else self.row.stop)

    def end(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:  # it had ended
            pass
        self.process.wait()


def filled(text, values):
    return re.sub(r'@(\w+)@', lambda found: str(values[found.group(1)]), str(text))


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(('127.0.0.1', port)) == 0


JAVA = ('java', '-version')


def node_waits_longer():
    """Newer versions of Node wait a second longer than they say."""
    script = 'process.exit(/keepAliveTimeoutBuffer|keepAliveTimeout \\+ /.test(process.binding("natives")._http_server) ? 0 : 1)'
    return shutil.which('node', path=PATH) is not None and subprocess.run(['node', '-e', script], env=ENVIRONMENT,
                                                                          check=False).returncode == 0


NODE_IDLE = 3.0 if node_waits_longer() else 2.0


def python_version(module):
    return ('python3', '-c', f'import {module}; print({module}.__version__)')


ROWS = [
    Row('nginx', 'nginx', ('nginx.conf',), ('nginx', '-c', '@dir@/nginx.conf', '-e', '@dir@/error'), ('nginx', '-v'), quick=True,
        params={'idle': '2s', 'header': '1s', 'body': '1s'}, variants={'requests': {'requests': 3}, 'age': {'age': '1s'}},
        reload=signal.SIGHUP, stop=signal.SIGQUIT),
    Row('Apache', 'apache', ('apache.conf',), ('apache2', '-DFOREGROUND', '-f', '@dir@/apache.conf'), ('apache2', '-v'), quick=True,
        params={'idle': '2s', 'hint': 'timeout=2', 'header': '1s', 'body': '1s'}, variants={'requests': {'requests': 4}}, reload=signal.SIGUSR1, stop=signal.SIGWINCH),
    Row('HAProxy', 'haproxy', ('haproxy.cfg',), ('haproxy', '-W', '-f', 'haproxy.cfg'), ('haproxy', '-v'), quick=True,
        params={'idle': '2s', 'header': '1s'}, reload=signal.SIGUSR2, stop=signal.SIGUSR1),
    Row('Node', 'node', ('node.mjs',), ('node', 'node.mjs'), ('node', '--version'), quick=True,
        params={'idle': f'{NODE_IDLE:g}s', 'hint': 'timeout=2', 'header': '1s', 'body': '1s'}, idle_end=NODE_IDLE, patience=NODE_IDLE + 2.5),
    Row('gunicorn sync', 'gunicorn-sync', ('gunicorn-sync.txt',), ('python3', '@here@/several.py', 'gunicorn-sync.txt'),
        python_version('gunicorn'), needs=('/usr/bin/gunicorn',), over=('h1', 'h1s'), reload=signal.SIGHUP),
    Row('gunicorn gthread', 'gunicorn', ('gunicorn.txt',), ('python3', '@here@/several.py', 'gunicorn.txt'),
        python_version('gunicorn'), needs=('/usr/bin/gunicorn',), over=('h1', 'h1s'), params={'idle': '2s'},
        reload=signal.SIGHUP, jitter=1.0),
    Row('uvicorn', 'uvicorn', ('uvicorn.txt',), ('python3', '@here@/several.py', 'uvicorn.txt'), python_version('uvicorn'),
        needs=('/usr/lib/python3/dist-packages/uvicorn',), over=('h1', 'h1s'), params={'idle': '2s'}),
    Row('Hypercorn', 'hypercorn', ('hypercorn.toml', 'app.py'), ('hypercorn', '-c', 'hypercorn.toml', 'app:asgi'),
        ('dpkg-query', '-W', 'python3-hypercorn'), params={'idle': 'never'}),
    Row('Tomcat', 'tomcat', ('tomcat.xml', 'tomcat-web.xml', 'Behind.java', 'tomcat.sh'), ('bash', 'tomcat.sh'),
        ('sh', '-c', 'java -cp /usr/share/tomcat10/lib/catalina.jar org.apache.catalina.util.ServerInfo'),
        needs=('/usr/share/tomcat10/lib/catalina.jar', '/usr/bin/javac'), params={'idle': '2s', 'header': '1s'}, variants={'requests': {'requests': 3}},
        content='webapps/ROOT', jitter=1.0),
    Row('Jetty', 'jetty', ('Jetty.java', 'jetty.sh'), ('bash', 'jetty.sh'),
        ('dpkg-query', '-W', 'libjetty9-java'), needs=('/usr/share/java/jetty9-http2-server.jar', '/usr/bin/javac'),
        params={'idle': '2s', 'linger': '2s'}),
    Row('lighttpd', 'lighttpd', ('lighttpd.conf',), ('lighttpd', '-D', '-f', 'lighttpd.conf'), ('lighttpd', '-v'),
        needs=('/usr/lib/lighttpd/mod_openssl.so',), params={'idle': '2s', 'header': '1s'}, variants={'requests': {'requests': 4}},
        reload=signal.SIGUSR1, stop=signal.SIGINT, jitter=1.2, patience=5.0),
    Row('Caddy', 'caddy', ('Caddyfile',), ('caddy', 'run', '--config', 'Caddyfile'), ('caddy', 'version'), params={'idle': '2s', 'header': '1s'}),
    Row('Go net/http', 'go', ('server.go', 'go.sh'), ('bash', 'go.sh'), ('go', 'version'), needs=('/usr/bin/go',),
        over=('h1', 'h1s', 'h2'), params={'idle': '2s', 'header': '1s'}),
    Row('h2o', 'h2o', ('h2o.yaml',), ('h2o', '-m', 'worker', '-c', 'h2o.yaml'), ('h2o', '-v'), params={'idle': '2s'}),
    Row('Varnish', 'varnish', ('varnish.vcl',),
        ('varnishd', '-F', '-n', '@dir@/varnish', '-a', '127.0.0.1:@port_h1@', '-a', '127.0.0.1:@port_h2c@', '-f', '@dir@/varnish.vcl',
         '-p', 'timeout_idle=2', '-p', 'feature=+http2', '-s', 'malloc,16m'), ('varnishd', '-V'), over=('h1', 'h2c'),
        params={'idle': '2s'}),
    Row('nghttpx', 'nghttpx', ('nghttpx.conf',), ('nghttpx', '--conf=@dir@/nghttpx.conf'), ('nghttpx', '-v'), params={'idle': '2s', 'idle-h2': '2s', 'header': '1s'},
        reload=signal.SIGHUP, stop=signal.SIGQUIT),
    Row('Squid', 'squid', ('squid.conf',), ('squid', '-N', '-n', 'truth@admin@', '-f', '@dir@/squid.conf'), ('squid', '-v'), over=('h1',), params={'idle': '2s'},
        jitter=1.0),
    Row('Puma', 'puma', ('puma.rb', 'config.ru'), ('puma', '-C', 'puma.rb'), ('puma', '--version'), over=('h1', 'h1s'),
        params={'idle': '2s', 'header': '1s'}),
    Row('JDK httpserver', 'jdk-httpserver', ('Jdk.java',), ('java', '-Xmx64m', '-Dsun.net.httpserver.idleInterval=2', '-Dsun.net.httpserver.clockTick=500',
                                                         '-Dsun.net.httpserver.idleTimerScheduleMillis=500', 'Jdk.java'),
        JAVA, needs=('/usr/bin/javac',), over=('h1', 'h1s'), params={'idle': '2s'}, jitter=1.0),
]
