#!/usr/bin/env python3
"""Checks certs/trust: what each script would call, with tools of these tests in the place of the
real ones, which write down how they were called; and on Debian that the real update-ca-certificates
does what is wanted of it, in folders of its own.
"""
import http.server
import os
import pathlib
import shutil
import tempfile
import threading

from scripts import TOP, case, finish, newer_than_3_2, program, run

# A CA certificate whose key nobody has.
CA = """-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUQxdjSA3InRWd++MMmNRGTp61TB4wCgYIKoZIzj0EAwIw
IzEhMB8GA1UEAwwYaGFuZ3VwIGxvY2FsIENBIDFhMmIzYzRkMB4XDTI2MTEzMDAw
NDE0NloXDTM2MTEyNzAwNDE0NlowIzEhMB8GA1UEAwwYaGFuZ3VwIGxvY2FsIENB
IDFhMmIzYzRkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMr+PQHiXRQ/1inrM
toJzHXKXqsrvtm7y+ECyLlY2Lrw/In1YalhqHrxIiJz2KSIsuhG0AMltuZMRi0Rf
0pRfAqNTMFEwHQYDVR0OBBYEFBhkMfRZHkWssSQjBntmd86GuLmCMB8GA1UdIwQY
MBaAFBhkMfRZHkWssSQjBntmd86GuLmCMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
zj0EAwIDSAAwRQIgARxR3OHWzEy//UdWEtnSIuKBL6EHEVctLXjPXDv57koCIQDO
733yhzMuOUCcenyFybuwzWomkTAtHEhMpfmQzG0TgA==
-----END CERTIFICATE-----
"""
SHA1 = '405AF16D221400A0572F03E839B5A3564F5E02D7'
STORED = '/data/misc/user/0/cacerts-added/e84634a3.0'
SCRIPTS = ('simulator', 'macos', 'android-emulator', 'debian')
TRUST = TOP / 'certs/trust'

# All that the scripts call otherwise.
BASICS = ('bash', 'cat', 'chmod', 'cp', 'curl', 'dirname', 'env', 'grep', 'id', 'install', 'mktemp',
          'openssl', 'rm', 'sed', 'sh', 'tr')

RECORD = 'echo "$(basename "$0") $*" >>"$CALLS"\n'
SIMCTL = RECORD + """case "$*" in
"simctl list devices booted") echo '    iPhone 16 (5C9A0F30-0000) (Booted)' ;;
esac"""
ADB = RECORD + """case "$*" in
*get-state) echo device ;;
*"shell id -u") echo %s ;;
esac"""


class Tools:
    """A folder that is the whole PATH, and what was called of it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder, 'bin')
        self.folder.mkdir()
        self.calls = pathlib.Path(folder, 'calls')
        self.ca = pathlib.Path(folder, 'a ca.pem')
        self.ca.write_text(CA)
        os.environ['CALLS'] = str(self.calls)
        for name in BASICS + ('basename',):
            (self.folder / name).symlink_to(shutil.which(name))

    def add(self, name, text=RECORD):
        (self.folder / name).unlink(missing_ok=True)
        program(self.folder, name, text)

    def run(self, script, *arguments):
        """Returns the status, stdout, stderr, and the calls in lines."""
        self.calls.write_text('')
        done = run(str(TRUST / script), *map(str, arguments), path=self.folder, only=True)
        return *done, self.calls.read_text().splitlines()


def check(title, tools, script, arguments, status, calls=(), told=()):
    """Runs a script: its status, what it called of the tools (without questions), and what it said."""
    done, out, err, called = tools.run(script, *arguments)
    asked = ('xcrun --find', 'xcrun simctl list', 'get-state', 'wait-for-device', 'shell id -u')
    called = [call for call in called if not any(part in call for part in asked)]
    case(f'{script}: {title}', done == status and called == list(calls)
         and all(text in out + err for text in told), f'{done} {called}\n{out}{err}')


def check_all(tools):
    for script in SCRIPTS:
        text = (TRUST / script).read_text()
        found = newer_than_3_2(text)
        case(f'{script} is bash 3.2', not found, found)
        check('--help says what it does, and does not do it', tools, script, ('--help',), 0,
              told=(f'{script} [OPTION...] [CA.PEM]', '--undo', '--dry-run', '--admin URL'))
        check('an unknown option is refused', tools, script, ('--udno',), 2,
              told=('--udno is no option',))
        check('an option without its value is refused', tools, script, ('--admin',), 2,
              told=('--admin: its value is missing',))
        check('two certificates are refused', tools, script, ('a', 'b'), 2)
    found = newer_than_3_2((TRUST / 'common').read_text())
    case('what they share is bash 3.2', not found, found)
    if shutil.which('shellcheck'):
        done, out, err = run('shellcheck', '-x', *(str(TRUST / s) for s in (*SCRIPTS, 'common')))
        case('shellcheck finds nothing in them', done == 0, out + err)


def check_missing(tools):
    for script, tool in (('simulator', 'xcrun'), ('macos', 'security'), ('android-emulator', 'adb')):
        for arguments in ((tools.ca,), ('--undo', tools.ca)):
            check(f'without {tool} it says so', tools, script, arguments, 1,
                  told=(f'{tool} is not there: ',))


def check_certificate(tools, folder):
    tools.add('security')
    bad = pathlib.Path(folder, 'bad')
    for text, told in (('', 'has no PEM certificate'), (CA + '-----BEGIN PRIVATE KEY-----', 'private key'),
                       (CA.replace('MII', 'MIJ'), 'no certificate that openssl can read')):
        bad.write_text(text)
        check(f'a file that {told} is refused', tools, 'macos', (bad,), 1, told=(told,))
    check('a file that is not there is refused', tools, 'macos', (f'{folder}/none',), 1,
          told=('/none is no file',))
    check('so is a folder', tools, 'macos', (folder,), 1, told=('is no file',))


def check_simulator(tools):
    tools.add('xcrun', SIMCTL)
    ca = tools.ca
    check('adds it to the booted one', tools, 'simulator', (ca,), 0,
          [f'xcrun simctl keychain booted add-root-cert {ca}'],
          ("+ xcrun simctl keychain booted add-root-cert '", 'hangup local CA 1a2b3c4d'))
    check('--device adds it to another', tools, 'simulator', (ca, '--device', 'ABC'), 0,
          [f'xcrun simctl keychain ABC add-root-cert {ca}'])
    check('--undo resets its keychain, and says so', tools, 'simulator', ('--undo',), 0,
          ['xcrun simctl keychain booted reset'], ('are lost',))
    check('--dry-run changes nothing', tools, 'simulator', ('--dry-run', ca), 0, [],
          ('+ xcrun simctl keychain booted add-root-cert',))
    tools.add('xcrun', RECORD)
    check('none that is booted is told', tools, 'simulator', (ca,), 1, told=('no simulator is booted',))
    tools.add('xcrun', RECORD + 'case "$1" in --find) exit 72 ;; esac')
    check('Xcode without simctl is told', tools, 'simulator', (ca,), 1, told=('simctl is not there',))


def check_macos(tools):
    tools.add('security')
    tools.add('sudo', RECORD + '"$@"')
    ca, own = tools.ca, f'{os.environ["HOME"]}/Library/Keychains/login.keychain-db'
    all_users = '/Library/Keychains/System.keychain'
    check('adds it for this user', tools, 'macos', (ca,), 0,
          [f'security add-trusted-cert -r trustRoot -k {own} {ca}'])
    check('--undo takes the trust back and deletes it', tools, 'macos', ('--undo', ca), 0,
          [f'security remove-trusted-cert {ca}', f'security delete-certificate -Z {SHA1} {own}'])
    adds = f'security add-trusted-cert -d -r trustRoot -k {all_users} {ca}'
    check('--all-users adds it for all', tools, 'macos', ('--all-users', ca), 0, [f'sudo {adds}', adds])
    removes = [f'security remove-trusted-cert -d {ca}',
               f'security delete-certificate -Z {SHA1} {all_users}']
    check('and removes it for all', tools, 'macos', ('--all-users', '--undo', ca), 0,
          [f'sudo {removes[0]}', removes[0], f'sudo {removes[1]}', removes[1]])
    tools.add('security', 'exit 1')
    check('what fails is not passed over', tools, 'macos', (ca,), 1)


def check_android(tools):
    tools.add('adb', ADB % 0)
    ca = tools.ca
    change = [f'adb -e push {ca} {STORED}', f'adb -e shell chown system:system {STORED} && '
              f'chmod 644 {STORED} && restorecon {STORED}']
    folder = os.path.dirname(STORED)
    check('as root puts it into the user\'s store', tools, 'android-emulator', (ca,), 0,
          ['adb -e root', f'adb -e shell mkdir -p {folder} && chown system:system {folder}', *change])
    check('--serial chooses the emulator', tools, 'android-emulator',
          ('--undo', '--serial', 'emulator-5556', ca), 0,
          ['adb root', f'adb shell rm -f {STORED} /sdcard/Download/hangup.crt'])
    check('--dry-run changes nothing', tools, 'android-emulator', ('--dry-run', ca), 0, [],
          (f"push '{ca}' {STORED}",))
    tools.add('adb', ADB % 2000)
    check('without root leaves the last step to the settings', tools, 'android-emulator', (ca,), 3,
          ['adb -e root', f'adb -e push {ca} /sdcard/Download/hangup.crt',
           'adb -e shell am start -a android.settings.SECURITY_SETTINGS'], ('The last step is yours',))
    check('and the undoing, too', tools, 'android-emulator', ('--undo', ca), 3,
          ['adb -e root', 'adb -e shell rm -f /sdcard/Download/hangup.crt'], ('The last step is yours',))
    tools.add('adb', RECORD + 'exit 1')
    check('no emulator is told', tools, 'android-emulator', (ca,), 1, told=('no emulator is running',))


def check_debian(tools, folder):
    local = pathlib.Path(folder, 'local')
    local.mkdir()
    ca, copy, at = tools.ca, local / 'hangup.crt', ('--directory', local)
    tools.add('id', 'echo 0')
    tools.add('update-ca-certificates')
    check('--dry-run changes nothing', tools, 'debian', (*at, '--dry-run', ca), 0, [],
          ('+ update-ca-certificates',))
    case('and copies nothing', not copy.exists())
    check('copies it and has it taken', tools, 'debian', (*at, ca), 0, ['update-ca-certificates '])
    case('the copy is the certificate, for all to read',
         copy.read_text() == CA and copy.stat().st_mode & 0o777 == 0o644)
    check('--undo removes it', tools, 'debian', (*at, '--undo'), 0, ['update-ca-certificates --fresh'])
    case('and the copy is gone', not copy.exists())
    check('there is nothing to undo then', tools, 'debian', (*at, '--undo'), 1,
          told=('there is nothing to undo',))
    check('a folder that is not there is told', tools, 'debian', ('--directory', local / 'x', ca), 1,
          told=('/x is no directory',))
    tools.add('id', 'echo 1000')
    tools.add('sudo', RECORD + '"$@"')
    check('an ordinary user does it with sudo', tools, 'debian', (*at, ca), 0,
          [f'sudo install -m 644 {ca} {copy}', 'sudo update-ca-certificates', 'update-ca-certificates '])
    copy.unlink()
    (tools.folder / 'sudo').unlink()
    check('without sudo that is told', tools, 'debian', (*at, ca), 1, told=('run this as root',))
    if shutil.which('update-ca-certificates', path=f'{os.environ["PATH"]}:/usr/sbin'):
        check_debian_really(tools, folder, local)


def check_debian_really(tools, folder, local):
    """The tool itself, with folders of ours in the place of the system's."""
    for name in ('etc', 'share', 'hooks'):
        pathlib.Path(folder, name).mkdir()
    # Another one, since the tool does not write a bundle of none.
    pathlib.Path(folder, 'conf').write_text('other.crt\n')
    other = pathlib.Path(folder, 'share/other.crt')
    other.write_text('another one\n')
    tools.add('id', 'echo 0')
    tools.add('update-ca-certificates', f"""PATH={os.environ["PATH"]}:/usr/sbin
exec /usr/sbin/update-ca-certificates --certsconf {folder}/conf --certsdir {folder}/share \\
    --localcertsdir {local} --etccertsdir {folder}/etc --hooksdir {folder}/hooks "$@" """)
    bundle, link = pathlib.Path(folder, 'etc/ca-certificates.crt'), pathlib.Path(folder, 'etc/hangup.pem')
    at = ('--directory', local)
    check('the real tool takes it', tools, 'debian', (*at, tools.ca), 0, told=('added, ',))
    case('it is in the bundle and among the certificates',
         bundle.read_text() == other.read_text() + CA and link.read_text() == CA, bundle.read_text())
    check('and removes it again', tools, 'debian', (*at, '--undo'), 0)
    case('it is in neither any more, and others are left',
         bundle.read_text() == other.read_text() and not os.path.lexists(link), bundle.read_text())


class AdminApi(http.server.BaseHTTPRequestHandler):
    token = None

    def do_GET(self):
        right = self.token is None or self.headers['Authorization'] == f'Bearer {self.token}'
        there = self.path == '/v1/ca.pem'
        self.send_response(401 if not right else 200 if there else 404)
        self.end_headers()
        if right and there:
            self.wfile.write(CA.encode())

    def log_message(self, *_):
        pass


def check_fetching(tools):
    tools.add('security', RECORD + 'for ca; do :; done; cat "$ca" >>"$CALLS"')
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), AdminApi) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_address[1]}'
        done, out, err, called = tools.run('macos', '--admin', f'{url}/')
        case('without a path the running server is asked',
             done == 0 and '\n'.join(called[1:]) + '\n' == CA and f'Asking {url}/v1/ca.pem' in out, out + err)
        AdminApi.token = 'a secret'
        check('without its token it says no', tools, 'macos', ('--admin', url), 1,
              told=('the server did not hand it out',))
        os.environ['HANGUP_ADMIN_TOKEN'] = 'a secret'
        done, out, err, called = tools.run('macos', '--admin', url)
        case('with the token it hands it out', done == 0 and len(called) > 1, out + err)
        del os.environ['HANGUP_ADMIN_TOKEN']
        server.shutdown()
    check('a server that is not there is told', tools, 'macos', ('--admin', url), 1,
          told=('is it running?',))


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.environ['TMPDIR'] = f'{folder}/tmp'
        os.mkdir(f'{folder}/tmp')
        tools = Tools(folder)
        check_all(tools)
        check_missing(tools)
        check_certificate(tools, folder)
        check_simulator(tools)
        check_macos(tools)
        check_android(tools)
        check_debian(tools, folder)
        check_fetching(tools)
        left = os.listdir(f'{folder}/tmp')
        case('they leave nothing behind', not left, left)
    finish()


main()
