"""A Docker Engine to test with: the one that runs, or one of our own that leaves nothing behind."""
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

START_WITHIN = 180  # seconds
BASE = 'debian:trixie-slim'
# As in Debian's own images: nothing here must outlive a power failure, nobody reads a manual.
DPKG_SETTINGS = """force-unsafe-io
path-exclude /usr/share/doc/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
"""


def run(*command, **more):
    """Runs a command that must succeed; its trouble is told. Returns its standard output."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    if done.returncode:
        tail = (done.stdout + done.stderr)[-4000:]
        raise RuntimeError(f'{" ".join(map(str, command))}: status {done.returncode}\n{tail}')
    return done.stdout


class Firewall:
    """What dockerd changes outside its own directories, put back as it was."""

    def __init__(self):
        self.forward = pathlib.Path('/proc/sys/net/ipv4/ip_forward')
        self.forwarded = self.forward.read_text()
        self.bridged = pathlib.Path('/sys/class/net/docker0').exists()
        self.tables = {name: run(f'{name}-save') for name in ('iptables', 'ip6tables')
                       if shutil.which(f'{name}-save')}

    def restore(self):
        for name, rules in self.tables.items():
            # A table that was not there before is not in the saved text: all are emptied first.
            for table in re.findall(r'^\*(\w+)', run(f'{name}-save'), re.M):
                for command in (['-P', 'FORWARD', 'ACCEPT'], ['-F'], ['-X']):
                    subprocess.run([name, '-w', '-t', table, *command], capture_output=True)
            subprocess.run([f'{name}-restore', '-w'], input=rules, text=True, capture_output=True)
        if not self.bridged:
            subprocess.run(['ip', 'link', 'delete', 'docker0'], capture_output=True)
        self.forward.write_text(self.forwarded)


class Engine:
    """Use as a context manager. `own` tells whether it is ours."""

    def __init__(self):
        self.own = False
        self.daemon = self.folder = self.firewall = self.lock = None

    def __enter__(self):
        if subprocess.run(['docker', 'info'], capture_output=True).returncode:
            try:
                self._start()
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *_):
        if self.daemon:
            self.daemon.terminate()
            try:
                self.daemon.wait(60)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        if self.folder:
            # Mounts that a killed daemon has left would keep the folder from being removed.
            for line in reversed(pathlib.Path('/proc/mounts').read_text().splitlines()):
                where = line.split()[1]
                if where.startswith(self.folder + '/'):
                    subprocess.run(['umount', '-l', where], capture_output=True)
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.firewall:
            self.firewall.restore()
        if self.lock:
            self.lock.close()

    def _start(self):
        if os.geteuid() != 0:
            raise RuntimeError('no Docker Engine answers, and only root can start one')
        # Two engines would fight over the bridge and the packet filter: one run at a time.
        self.lock = open(pathlib.Path(tempfile.gettempdir(), 'hangup-docker.lock'), 'w')
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.firewall = Firewall()
        self.folder = tempfile.mkdtemp(prefix='hangup-docker-')
        # The kernel may have only the one or the other kind of packet filter.
        for iptables in ('iptables', 'iptables-legacy', 'iptables-nft'):
            if shutil.which(iptables) and self._try(iptables):
                self.own = True
                return
        raise RuntimeError('dockerd does not start:\n' + self._log()[-4000:])

    def _log(self):
        return pathlib.Path(self.folder, 'log').read_text()

    def _try(self, iptables):
        folder = self.folder
        tools = pathlib.Path(folder, iptables)
        tools.mkdir()
        for name in ('iptables', 'ip6tables'):
            target = shutil.which(iptables.replace('iptables', name))
            if target:
                (tools / name).symlink_to(target)
        # Without the userland proxy, which would end TCP between the client and the container.
        command = ['dockerd', '--data-root', f'{folder}/data', '--exec-root', f'{folder}/exec',
                   '--pidfile', f'{folder}/pid', '--host', f'unix://{folder}/socket',
                   '--userland-proxy=false']
        with open(f'{folder}/log', 'w') as log:
            self.daemon = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, 'PATH': f'{tools}:{os.environ["PATH"]}'})
        os.environ['DOCKER_HOST'] = f'unix://{folder}/socket'
        until = time.monotonic() + START_WITHIN
        while time.monotonic() < until and self.daemon.poll() is None:
            if not subprocess.run(['docker', 'info'], capture_output=True).returncode:
                return True
            time.sleep(0.3)
        self.daemon.kill()
        self.daemon.wait()
        self.daemon = None
        return False


def make_base():
    """Makes the base image from Debian's packages, with this machine's way to its archive."""
    with tempfile.TemporaryDirectory(prefix='hangup-base-') as folder:
        root = pathlib.Path(folder, 'root')
        sources = run('apt-get', 'indextargets', '--format', '$(REPO_URI)',
                      'Created-By: Packages', 'Origin: Debian', 'Label: Debian').split()
        print('# debootstrap: the base image', flush=True)
        run('debootstrap', '--variant=minbase', 'trixie', str(root), *sources[:1],
            env={**os.environ, 'DPKG_FORCE': 'unsafe-io'})
        (root / 'etc/dpkg/dpkg.cfg.d/docker').write_text(DPKG_SETTINGS)
        settings = [line for line in run('apt-config', 'dump').splitlines()
                    if line.startswith('Acquire::')]
        (root / 'etc/apt/apt.conf.d/90host').write_text('\n'.join(settings) + '\n')
        authorities = pathlib.Path('/etc/ssl/certs/ca-certificates.crt')
        if authorities.exists():
            (root / 'etc/ssl/certs').mkdir(parents=True, exist_ok=True)
            shutil.copy(authorities, root / 'etc/ssl/certs/')
        for waste in ('var/cache/apt/archives', 'var/lib/apt/lists'):
            shutil.rmtree(root / waste, ignore_errors=True)
        with subprocess.Popen(['tar', '-C', root, '-c', '.'], stdout=subprocess.PIPE) as tar:
            subprocess.run(['docker', 'import', '-', BASE], stdin=tar.stdout, check=True,
                           stdout=subprocess.DEVNULL)


def ensure_base(own):
    if not subprocess.run(['docker', 'image', 'inspect', BASE], capture_output=True).returncode:
        return
    # An engine that was here before may have a way to a registry; ours, new every time, needs none.
    if own or subprocess.run(['docker', 'pull', BASE], capture_output=True).returncode:
        make_base()


def build(tag, dockerfile, context):
    """Builds an image; with the plain builder where there is no other."""
    environment = dict(os.environ)
    if subprocess.run(['docker', 'buildx', 'version'], capture_output=True).returncode:
        environment['DOCKER_BUILDKIT'] = '0'
    arguments = [f'--build-arg={name}' for name in ('http_proxy', 'https_proxy', 'no_proxy')
                 if name in os.environ]
    done = subprocess.run(['docker', 'build', *arguments, '-f', dockerfile, '-t', tag, context],
                          env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.stdout.write(''.join(f'# {line}\n' for line in done.stdout.splitlines()[-150:]))
    return done.returncode == 0
