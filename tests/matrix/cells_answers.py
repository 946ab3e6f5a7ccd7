"""Cells of answers that are cut, that are no HTTP, and that say that the request was not done."""
from cell import BOTH, GAP, LOSSES, WIRES, first, mode


def told_family(t):
    for tls in (False, True):
        spec = mode('timeout-408-on-reuse')
        t.spread('408', 'It was told 408, and asked again on a new connection.', 'retry', GAP, spec, 'h1', tls,
                 {'recovered': 'P', 'retry-once': 'P'}, wire=('ok', 'status', 'ok'))
        t.spread('408', 'It was told 408, and that was all.', 'naive', GAP, spec, 'h1', tls,
                 {'recovered': 'F', 'retry-once': 'F'}, wire=('ok', 'status'))
        t.spread('408', 'A POST that was told 408 was not done: repeated without a key, rightly.', 'post-keyless',
                 'get pause:0.4 post', spec, 'h1', tls, {'recovered': 'P', 'safe_retry': 'PNI'},
                 wire=('ok', 'status', 'ok'))
        t.add('408', 'It never reuses a connection.', 'close', GAP, spec, 'h1', tls, {'connection-close': 'P', 'recovered': 'P'},
              without='naive', wire=('ok', 'ok'))


def cut_family(t):
    cuts = [(mode('truncate', nth='2', how=how), over, tls) for how in ('fin', 'rst') for over, tls in WIRES]
    cuts += [(mode('truncate-head', nth='2', how='fin'), 'h1', tls) for tls in (False, True)]
    cuts += [(mode('truncate-notify', nth='2'), over, True) for over in BOTH]
    cuts += [(mode('malformed-chunk', nth='2', how='fin'), 'h1', tls) for tls in (False, True)]
    for spec, over, tls in cuts:
        kinds = ('cut', 'bad', 'reset') + LOSSES
        t.spread('cut', 'The response was cut; asked again, and answered whole.', 'retry', GAP, spec, over, tls,
                 {'recovered': 'P', 'retries': 'P'}, wire=('ok', kinds, 'ok'))
        t.spread('cut', 'The response was cut; it gave an error, and that was all.', 'naive', GAP, spec, over, tls,
                 {'recovered': 'F'}, wire=('ok', kinds))
        if spec['mode'] not in ('malformed-chunk',):
            t.add('cut', 'The response was cut, and its account has an error: seen.', 'naive', GAP, spec, over, tls,
                  {'detects_truncation': 'P'}, wire=('ok', kinds))
            t.add('cut', 'The response was cut, and there is no account: what it made of that is not known.', 'naive',
                  GAP, spec, over, tls, {'detects_truncation': 'I'}, account=False, wire=('ok', kinds), due=False)
        if spec['mode'] in ('truncate', 'truncate-notify') and spec.get('params', {}).get('how') != 'rst':
            t.add('cut', 'It took the cut response for a whole one, and said so.', 'cut-ok', GAP, spec, over, tls,
                  {'detects_truncation': 'F', 'recovered': 'FI'}, wire=('ok', 'cut'))
            t.add('cut', 'It took the cut response for a whole one, and there is no account: never a pass.', 'cut-ok',
                  GAP, spec, over, tls, {'detects_truncation': 'I', 'recovered': 'FI'}, account=False,
                  wire=('ok', 'cut'), due=False)
            t.add('cut', 'It asked for the rest with Range and got all of it: whether it could use that is not '
                  'known. Never a pass.', 'ranged', GAP, spec, over, tls, {'recovered': 'FI'}, account=False,
                  wire=('ok', 'cut', 'ok'), due=False)


def garbage_family(t):
    for over, tls in WIRES:
        spec = mode('garbage', nth='2', how='fin')
        t.spread('garbage', 'No HTTP came; asked again, and answered.', 'retry', GAP, spec, over, tls, {'recovered': 'P'},
                 wire=('ok', ('bad', 'cut'), 'ok'))
        t.spread('garbage', 'No HTTP came, and that was all.', 'naive', GAP, spec, over, tls, {'recovered': 'F'},
                 wire=('ok', ('bad', 'cut')))


def unread_family(t):
    spec = first(mode('empty-response'))
    for over, tls in WIRES:
        for account in (False, True):
            t.add('unread', 'It resets each answer unread, in the control, too, and ends with 0: never a pass (a fail, where what '
                  'it left unread was only the server\'s part of a handshake).', 'unread', 'get',
                  spec, over, tls, {'recovered': 'FI', 'retry-once': 'FI'}, account=account, wire=('empty', 'ok'),
                  remedy='confirm', due=False)
            t.add('unread', 'The same, and it resets them much later.', 'unread-late', 'get',
                  spec, over, tls, {'recovered': 'FI', 'retry-once': 'FI'}, account=account, wire=('empty', 'ok'),
                  remedy='confirm', due=False)
            t.add('unread', 'It reads each answer, and resets: who does not say which status came is not told from one that '
                  'reads nothing.', 'at-once-rst', 'get', spec, over, tls,
                  {'recovered': 'P' if account else 'I', 'retry-once': 'P' if account else 'I'}, account=account,
                  wire=('empty', 'ok'), remedy='' if account else 'confirm')
            # Where it takes longer than 30 ms from its close_notify to its close(), the server's is unread then.
            letters = 'PI' if tls and not account else 'P'
            t.add('unread', 'It reads each answer, and closes at once.', 'at-once', 'get', spec, over, tls,
                  {'recovered': letters, 'retry-once': letters}, account=account, wire=('empty', 'ok'))


def early_family(t):
    for over, tls in WIRES:
        spec = mode('early-response', at='headers', nth='2', status=503)
        t.spread('early', 'It was told 503, and asked again on a new connection.', 'retry', GAP, spec, over, tls,
                 {'recovered': 'P'}, wire=('ok', 'status', 'ok'))
        t.spread('early', 'It was told 503, and that was all.', 'naive', GAP, spec, over, tls, {'recovered': 'F'},
                 wire=('ok', 'status'))
        if over == 'h1':
            t.add('early', 'It never reuses a connection.', 'close', GAP, spec, over, tls,
                  {'connection-close': 'P', 'recovered': 'P'}, without='naive', wire=('ok', 'ok'))
        t.spread('early', 'Its POST was told 503 before all of it had come, and sent again with its key.', 'post-key',
                 'get pause:0.4 post', mode('early-response', nth='2', status=503), over, tls, {'recovered': 'P'},
                 wire=('ok', 'status', 'ok'))


FAMILIES = (told_family, early_family, cut_family, garbage_family, unread_family)
