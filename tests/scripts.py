#!/usr/bin/env python3
"""Checks ./dev and docker/entrypoint: what they do with their arguments, without doing it; and what
.ci/run and tools/count_tests.py make of what tests say.

Also that ./dev, which must be able to say on a Mac what to do there, has nothing that its bash 3.2
does not know. Prints a line a case (TAP's words), and ends with status 1 when one failed.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent

# What came after bash 3.2.
NEWER = [
    (r'\b(mapfile|readarray|coproc)\b', 'a builtin of bash 4'),
    (r'\b(declare|local|typeset|readonly) +-[a-zA-Z]*[Anug]', 'an attribute of bash 4'),
    (r'\$\{[^}]*@[A-Za-z]\}', 'a transformation of bash 4.4'),
    (r'\$\{[A-Za-z_0-9@*\[\]]+(\^\^?|,,?)[^}]*\}', 'a case modification of bash 4'),
    (r'&>>|\|&', 'a redirection of bash 4'),
    (r';;?&', 'a case that falls through, of bash 4'),
    (r'\[\[? *-v ', '-v of bash 4.2'),
    (r'\[-[0-9]+\]', 'a negative index of bash 4.3'),
    (r'printf +[\'"]?%\(', 'a time in printf, of bash 4.2'),
    (r'\bwait +-[nfp]', 'wait -n of bash 4.3'),
    (r'\$\{?(EPOCH|BASHPID|SRANDOM)', 'a variable of bash 4 or later'),
    (r'shopt +-s +(globstar|lastpipe|inherit_errexit)', 'an option of bash 4'),
    (r'\{fd\}|\{[a-z_]+\}[<>]', 'a descriptor in a variable, of bash 4.1'),
    (r'read +(-[a-zA-Z]+ +)*-[a-zA-Z]*[Ni]', 'read -N of bash 4.1'),
]

failures = 0


def case(title, ok, why=''):
    global failures
    failures += not ok
    print(f'{"ok" if ok else "not ok"} - {title}' + ('' if ok else f'\n# {why}'))


def newer_than_3_2(text):
    """Each place in a script that bash 3.2 does not know."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        code = re.sub(r'(^|\s)#.*', '', line)
        found += [f'line {number}: {what}: {line.strip()}' for pattern, what in NEWER
                  if re.search(pattern, code)]
    return found


def check_bash():
    found = newer_than_3_2((TOP / 'dev').read_text())
    case('./dev is bash 3.2', not found, '\n# '.join(found))
    samples = ['mapfile -t x < f', 'local -A x', 'echo "${x@Q}"', 'echo ${x,,}', 'a |& b', 'a &>> b',
               'a) b ;;&', '[ -v x ]', '[[ -v x ]]', 'echo ${x[-1]}', 'wait -n', 'declare -n x=y',
               'echo $EPOCHSECONDS', "printf '%(%s)T'", 'exec {fd}>x']
    missed = [sample for sample in samples if not newer_than_3_2(sample)]
    case('what is newer is recognised', not missed, missed)


def run(*command, path=None, only=False):
    """Returns the exit status, stdout and stderr. path: where programs are looked for first, or only."""
    paths = [path] if only else [path, os.environ['PATH']] if path else [os.environ['PATH']]
    environment = dict(os.environ, PATH=':'.join(map(str, paths)))
    done = subprocess.run(command, capture_output=True, text=True, env=environment,
                          stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout, done.stderr


def program(folder, name, text):
    path = pathlib.Path(folder, name)
    path.write_text(f'#!/bin/sh\n{text}\n')
    path.chmod(0o755)


def check_dev():
    dev = str(TOP / 'dev')
    for arguments in ((), ('-h',), ('--help',), ('help',)):
        status, out, _ = run(dev, *arguments)
        case(f'./dev {" ".join(arguments)} lists the verbs', status == 0 and '\n  sanitize ' in out, out)
    status, out, _ = run(dev, 'test', '--help')
    case('./dev test --help says what it does, and does not do it',
         status == 0 and out.startswith('  test ') and out.count('\n') == 1, out)
    for word, meant in (('snaitize', '"sanitize"'), ('sreve', '"serve"'), ('image_test', '"image-test"'),
                        ('tests', '"test"')):
        status, _, err = run(dev, word)
        case(f'./dev {word} is refused, and {meant} suggested',
             status == 2 and f'did you mean {meant}' in err and err.count('\n') == 1, err)
    status, _, err = run(dev, 'dance')
    case('./dev dance is refused without a suggestion', status == 2 and 'did you' not in err, err)
    with tempfile.TemporaryDirectory() as folder:
        program(folder, 'uname', 'echo Darwin')
        status, _, err = run(dev, 'serve', path=folder)
        case('on a Mac ./dev serve says to use Docker',
             status == 1 and 'runs on Linux' in err and './dev image' in err and 'docs/docker.md' in err,
             err)
        program(folder, 'docker', 'echo "docker $*"')
        status, out, _ = run(dev, 'image', path=folder)
        case('and ./dev image builds there', status == 0 and 'docker build -f' in out, out)


def check_entrypoint():
    defaults = 'serve --state /var/lib/hangup --admin :9000'
    table = [
        ((), defaults),
        (('serve',), defaults),
        (('serve', '--mode', 'a b'), f'{defaults} --mode a b'),
        (('--mode', 'x'), f'{defaults} --mode x'),
        (('--admin', ':1'), 'serve --state /var/lib/hangup --admin :1'),
        (('serve', '--state=/x', '--mode', 'y'), 'serve --admin :9000 --state=/x --mode y'),
        (('modes', 'nginx'), 'modes nginx'),
        (('healthcheck',), 'healthcheck'),
        (('--help',), '--help'),
        (('-h',), '-h'),
        (('--version',), '--version'),
        (('dance',), 'dance'),
    ]
    with tempfile.TemporaryDirectory() as folder:
        program(folder, 'hangup', 'echo "$*"')
        for arguments, expected in table:
            _, out, err = run(str(TOP / 'docker/entrypoint'), *arguments, path=folder)
            case(f'the container with "{" ".join(arguments)}" runs hangup {expected}',
                 out == expected + '\n', out + err)


def count(programs, *arguments):
    """What tools/count_tests.py says of these lines of a log of meson."""
    with tempfile.NamedTemporaryFile('w', suffix='.json') as log:
        log.write('\n'.join(map(json.dumps, programs)))
        log.flush()
        return run(sys.executable, str(TOP / 'tools/count_tests.py'), *arguments, log.name)


def check_counting():
    programs = [
        {'name': 'quick', 'result': 'OK', 'returncode': 0, 'duration': 0.5, 'stdout': ''},
        {'name': 'long', 'result': 'OK', 'returncode': 0, 'duration': 99.5,
         'stdout': '1..2\nok 1 - one\nok 2 - two # SKIP no time\n'},
        {'name': 'bad', 'result': 'FAIL', 'returncode': 1, 'duration': 2,
         'stdout': '1..3\nok 1 - fine\nnot ok 2 - broken\n# because\n', 'stderr': 'line\n' * 500},
        *({'name': f'p{i}', 'result': 'OK', 'returncode': 0, 'duration': 1} for i in range(20)),
    ]
    status, out, err = count(programs)
    lines = out.splitlines()
    case('tests are counted, and a case that never ran failed',
         status == 1 and lines[-3:] == ['FAILED  bad: broken: because', 'FAILED  bad: 1 case never ran: FAIL, exit status 1',
                                        '23 passed, 2 failed, 1 skipped'], out[-500:] + err)
    case('the ten slowest programs are told, the slowest first',
         out.count('slowest ') == 10 and re.search(r'^slowest +99\.5 s  long\nslowest +2\.0 s  bad\n', out,
                                                   re.M), out[-900:])
    case('what a failed program said is told, of a long text the end',
         'not ok 2 - broken\n# because\n' in out and out.count('\nline') == 100, out[:900])


REPORT = """
=================================================================
==7==ERROR: LeakSanitizer: detected memory leaks

Direct leak of 24 byte(s) in 1 object(s) allocated from:
    #0 0x1 in calloc (/lib/asan+0x1)
    #1 0x2 in keep server/a.c:12
""" + ''.join(f'    #{i} 0x3 in f{i} server/b.c:{i}\n' for i in range(2, 40))


def check_why():
    """Of what ended without a word in TAP, or in a server that a test had started, it is told why."""
    trace = 'Traceback (most recent call last):\n  File "x.py", line 1\nTimeoutError: timed out\n'
    status, out, err = count([{'name': 'p', 'result': 'ERROR', 'returncode': 1, 'stderr': trace,
                               'stdout': 'ok 1 - one\nnot ok 2 - two\n# it did not\n'},
                              {'name': 'q', 'result': 'ERROR', 'returncode': 1, 'stderr': trace, 'stdout': ''}])
    case('of a program without a plan its cases count, and its exception is told',
         status == 1 and out.splitlines()[-4:] == [
             'FAILED  p: two: it did not',
             'FAILED  p: it ended before its last case: ERROR, exit status 1; TimeoutError: timed out',
             'FAILED  q: ERROR, exit status 1; TimeoutError: timed out', '1 passed, 3 failed, 0 skipped'], out + err)
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / 'report.7').write_text(REPORT)
        status, out, err = count([{'name': 'p', 'result': 'OK', 'returncode': 0}], '--reports', folder)
    failed = [line for line in out.splitlines() if line.startswith('FAILED')]
    case("a sanitizer's report is one failure, with its stack in the summary",
         status == 1 and out.endswith('1 passed, 1 failed, 0 skipped\n') and len(failed) == 1 + 25 and
         failed[0].endswith('ERROR: LeakSanitizer: detected memory leaks') and
         'FAILED  | #1 0x2 in keep server/a.c:12' in failed, out + err)


# Cases of cmocka: what each does, and what the summary says of it when it ends the program, and when not.
CASES = [
    ('assert_int_equal(0x14, 0xa);', '0x14 != 0xa; {}:12: error: Failure!', None),
    ('assert_true(1 > 2);', '1 > 2; {}:12: error: Failure!', None),
    ('fail_msg("one %d\\r\\n\\nok 2 - two", 1);', 'one 1\\x0d; ok 2 - two; {}:12: error: Failure!', None),
    ('fail_msg("%02000d", 1);', '0' * 900 + '...; {}:12: error: Failure!', None),
    ('print_error("%s\\n", "here"); assert_true(1 > 2);', 'here; {}:12: error: Failure!',
     'here; 1 > 2; {}:12: error: Failure!'),
    ('print_error("here\\n"); raise(SIGKILL);', 'here; FAIL, signal 9', ''),
    ('raise(SIGKILL);', 'FAIL, signal 9', ''),
    ('print_message("# skipped: no time\\n"); skip();', '', ''),
]
CASES_C = """#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
static void fine(void **state) {}
static int late(void **state) { return 0; }
static void the_third(void **state)
{
    (void)0;
    %s
}
int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(fine), cmocka_unit_test_setup(fine, late),
        cmocka_unit_test(the_third), cmocka_unit_test(fine), cmocka_unit_test(fine) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
"""


def run_cases(binary, **environment):
    """What the summary says of it: the status, what failed, the last line, and all."""
    done = subprocess.run([binary], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          env={**os.environ, 'CMOCKA_MESSAGE_OUTPUT': 'TAP', **environment})
    status, out, err = count([{'name': 'unit', 'result': 'FAIL' if done.returncode else 'OK',
                               'returncode': done.returncode, 'stdout': done.stdout, 'stderr': done.stderr}])
    failed = [line for line in out.splitlines() if line.startswith('FAILED')]
    return status, failed, out.splitlines()[-1], out + err


def check_ends():
    """Of a unit program of which a case fails, or that ends in it, it is told in which, why, and what never ran."""
    with tempfile.TemporaryDirectory() as folder:
        source, binary = f'{folder}/cases.c', f'{folder}/cases'
        for does, told, stays in CASES:
            pathlib.Path(source).write_text(CASES_C % does)
            run('gcc', '-D_GNU_SOURCE', '-o', binary, source, str(TOP / 'tests/begins.c'), str(TOP / 'tests/reasons.c'),
                '-Wl,--wrap=_cmocka_run_group_tests', '-Wl,--wrap=print_error', '-Wl,--wrap=cm_print_error', '-lcmocka')
            status, failed, last, all_of_it = run_cases(binary, CMOCKA_TEST_ABORT='1')
            expected = [f'FAILED  unit: the_third: {told.format(source)}', 'FAILED  unit: 2 cases never ran'] if told else []
            ends = f'2 passed, {3 if told else 0} failed, 0 skipped' if told else '4 passed, 0 failed, 1 skipped'
            case(f'a case that does {does} is told of by name, and those behind it are counted',
                 failed == expected and last == ends and status == bool(told), all_of_it)
            if stays == '':
                continue
            status, failed, last, all_of_it = run_cases(binary)
            case(f'a case that does {does}, and does not end its program, is told of with the reason',
                 failed == [f'FAILED  unit: the_third: {(stays or told).format(source)}'] and status == 1 and
                 last == '4 passed, 1 failed, 0 skipped', all_of_it)
    # It has no case of its own, as when the set-up of a group failed.
    status, out, err = count([{'name': 'none', 'result': 'ERROR', 'returncode': -6, 'stdout': '1..7\n',
                               'stderr': 'x\n'}, {'name': 'p', 'result': 'OK', 'returncode': 0}])
    case('of a program that began no case it is told how it ended',
         status == 1 and out.endswith('FAILED  none: 7 cases never ran: ERROR, signal 6\n'
                                      '1 passed, 7 failed, 0 skipped\n'), out + err)


# Stands in for ./dev: its verbs take no time, and "sanitize" ends as it is told to.
DEV = """case $1 in
test) echo 'slowest     3.0 s  a'; echo '5 passed, 0 failed, 1 skipped' ;;
sanitize) echo 'slowest    20.0 s  b'; {} ;;
*) echo '2 passed, 0 failed, 0 skipped' ;;
esac"""


# Stand in for ninja, of which two in one directory would disturb each other, and for meson.
NINJA = 'mkdir build/busy || exit 1; sleep 0.3; rmdir build/busy'
MESON = """if [ "$1" = setup ]; then mkdir -p "$2/meson-logs" && : >"$2/build.ninja"; exit; fi
log=testlog cases=2 directory=$3
[ -z "${HANGUP_ADMIN_TOKEN+x}${HANGUP+x}${NO_COLOR+x}" ] && [ -n "$HANGUP_RANDOM_SEED" ] || exit 1
while [ $# -gt 0 ]; do
    case $1 in --logbase) log=$2 ;; --wrapper) log=$log-valgrind cases=1 ;; esac
    shift
done
for number in $(seq $cases); do
    echo '{"name": "x", "result": "OK", "returncode": 0, "stdout": ""}' >>"$directory/meson-logs/$log.json"
done
sleep 0.3"""


# Of these only what is for the tests is left to them.
OF_A_USER = {'HANGUP': 'x', 'HANGUP_ADMIN_TOKEN': 'x', 'NO_COLOR': '1', 'HANGUP_RANDOM_SEED': '1'}


def check_side_by_side():
    """./dev test and ./dev valgrind have a build directory in common."""
    with tempfile.TemporaryDirectory() as folder:
        # Nothing is installed for it.
        dev = re.sub('install_missing "[^"]*"', ':', (TOP / 'dev').read_text())
        program(folder, 'ninja', NINJA)
        program(folder, 'meson', MESON)
        pathlib.Path(folder, 'dev').write_text(dev)
        pathlib.Path(folder, 'tools').mkdir()
        shutil.copy(TOP / 'tools/count_tests.py', f'{folder}/tools')
        both = [subprocess.Popen(['bash', f'{folder}/dev', verb], stdin=subprocess.DEVNULL, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 env={**os.environ, **OF_A_USER, 'PATH': f'{folder}:{os.environ["PATH"]}'})
                for verb in ('test', 'valgrind')]
        for process, passed in zip(both, (2, 1)):
            out, _ = process.communicate(timeout=60)
            case(f'./dev {process.args[2]} builds and counts for itself, whatever runs beside it',
                 process.returncode == 0 and out.endswith(f'\n{passed} passed, 0 failed, 0 skipped\n'), out)


def check_ci():
    table = [
        ("echo '4 passed, 0 failed, 0 skipped'", 0, '15 passed, 0 failed, 1 skipped', ''),
        ("echo 'FAILED  x: y'; echo '3 passed, 1 failed, 0 skipped'; exit 1", 1,
         '14 passed, 1 failed, 1 skipped', './dev sanitize: x: y'),
        ("echo '4 passed, 0 failed, 0 skipped'; exit 3", 1, '15 passed, 1 failed, 1 skipped',
         './dev sanitize: exit status 3'),
        ('echo no compiler; exit 1', 1, '11 passed, 1 failed, 1 skipped',
         './dev sanitize: exit status 1 before it counted'),
    ]
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, '.ci').mkdir()
        ci = str(shutil.copy(TOP / '.ci/run', f'{folder}/.ci/run'))
        for does, expected, last, told in table:
            program(folder, 'dev', DEV.format(does))
            status, out, err = run(ci)
            case(f'.ci/run with "{does}" in one of its parts ends with {last}',
                 status == expected and out.splitlines()[-1] == last
                 and (f'FAILED  {told}' in re.sub('FAILED +', 'FAILED  ', out) if told
                      else 'FAILED' not in out), out + err)
            case('and tells the slowest tests of all parts',
                 re.search(r'\nslowest +20\.0 s  b \(\./dev sanitize\)\nslowest +3\.0 s  a ', out), out)

        program(folder, 'dev', 'echo $$ >>pids; exec sleep 1000')
        pids = pathlib.Path(folder, 'pids')
        with subprocess.Popen([ci], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as running:
            until = time.monotonic() + 30
            while time.monotonic() < until and (not pids.exists() or pids.read_text().count('\n') < 2):
                time.sleep(0.02)
            running.send_signal(signal.SIGTERM)
            running.wait(30)
        left = [pid for pid in pids.read_text().split() if is_there(int(pid))]
        case('.ci/run that is ended leaves nothing behind', running.returncode == 1 and not left, left)


def is_there(pid):
    """Whether it runs, some moments from now at the latest."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if ') Z ' in pathlib.Path(f'/proc/{pid}/stat').read_text():
                return False
        except FileNotFoundError:
            return False
        time.sleep(0.02)
    return True


# Each is found by a sanitizer: a sum that is too large, whoever takes the signal; what must not be NULL and is; a
# block that nothing points to.
FAULTS = {
    'sum': 'signal(SIGILL, exit); argc += 2147483647; argv[argc != 0] = NULL;',
    'memcpy': 'memcpy(argv[0], argc > 5 ? argv[1] : NULL, (unsigned)argc - 1);',
    'leak': 'argv[0] = malloc(10); argv[0] = NULL;',
}


def check_reports():
    """What ./dev sanitize does about a program whose stderr nobody reads."""
    dev = (TOP / 'dev').read_text()
    with tempfile.TemporaryDirectory() as folder:
        options = {name: re.search(rf'\b{name}=(\S+)', dev[dev.index('verb_sanitize'):]).group(1)
                   .replace('$reports', folder) for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS')}
        arguments = re.search(r'"-Dc_args=(.*?)"', dev).group(1).split()
        for name, fault in FAULTS.items():
            source, binary = pathlib.Path(folder, f'{name}.c'), f'{folder}/{name}'
            source.write_text('#include <signal.h>\n#include <stdlib.h>\n#include <string.h>\n'
                              f'int main(int argc, char **argv)\n{{\n    {fault}\n    return 0;\n}}\n')
            run('gcc', '-O1', *arguments, '-fsanitize=address,undefined', '-o', binary, str(source))
            done = subprocess.run([binary], stderr=subprocess.DEVNULL, env={**os.environ, **options}, check=False)
            found = list(pathlib.Path(folder).glob('report.*'))
            text = '\n'.join(path.read_text() for path in found)
            case(f'what a sanitizer finds is in a file, with its place: {name}',
                 done.returncode and len(found) == 1 and f'{name}.c:6' in text, f'{done.returncode} {text}')
            for path in found:
                path.unlink()


def finish():
    sys.exit(1 if failures else 0)


def main():
    check_bash()
    check_counting()
    check_why()
    check_ends()
    check_ci()
    check_side_by_side()
    check_reports()
    check_dev()
    check_entrypoint()
    finish()


if __name__ == '__main__':
    main()
