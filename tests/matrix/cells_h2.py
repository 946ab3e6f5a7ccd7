"""Cells of HTTP/2: GOAWAY, and streams that are refused or reset."""
from cell import GAP, IDLE, IDLE_STEPS, LOSSES, NORMAL, VARIANTS, first, mode


def goaway_family(t):
    never = {'grace': 'never'}
    steps, before = IDLE_STEPS, ('ok', 'ok')
    for tls in (False, True):
        spec = mode('goaway-idle', idle=IDLE, **never)
        t.add('goaway', 'It saw the GOAWAY, closed the connection, and went to a new one.', 'watch', steps, spec, 'h2',
              tls, {'goaway-aware': 'P', 'goaway_respected': 'P', 'closes_after_goaway': 'P', 'recovered': 'PI',
                    'no_stale_use': 'PI'}, wire=before + ('ok',))
        t.add('goaway', 'It opened no stream after GOAWAY, and left the connection open.', 'keep', steps + ' pause:0.6', spec, 'h2', tls,
              {'goaway_respected': 'P', 'closes_after_goaway': 'F', 'goaway-aware': 'F'}, wire=before + ('ok',))
        t.spread('goaway', 'It opened a stream a second after the GOAWAY had come, and did not repeat it.', 'naive',
                 steps, spec, 'h2', tls, {'goaway_respected': 'F', 'goaway-aware': 'F', 'no_stale_use': 'F',
                                          'recovered': 'F'}, wire=before + ('refused',))
        t.spread('goaway', 'It opened a stream a second after the GOAWAY had come, and repeated it elsewhere.', 'retry',
                 steps, spec, 'h2', tls, {'goaway_respected': 'F', 'goaway-aware': 'F', 'no_stale_use': 'F',
                                          'recovered': 'P'}, wire=before + ('refused', 'ok'))
        for spec in (mode('gcp-alb', idle=IDLE), mode('kestrel', idle=IDLE), mode('tomcat', idle=IDLE),
                     mode('nginx', idle=IDLE), mode('jetty', idle=IDLE), mode('haproxy', idle=IDLE),
                     mode('goaway-idle', idle=IDLE, grace='300ms'),
                     mode('envoy', idle=IDLE, drain='100ms', close='100ms')):
            t.add('goaway', 'It saw GOAWAY and FIN, and went to a new connection: after the FIN it had no choice.', 'watch',
                  steps, spec, 'h2', tls, {'goaway_respected': 'PI', 'recovered': 'PI'}, wire=before + ('ok',))
            t.spread('goaway', 'It sent a stream onto a connection whose GOAWAY and FIN it had had for long.', 'naive',
                     steps, spec, 'h2', tls, {'goaway_respected': 'F', 'recovered': 'F'},
                     wire=before + (LOSSES + ('refused',),))
        spec = mode('goaway-graceful', grace='1s', linger='never')
        t.spread('goaway', 'A stream half a second after the notice breaks the rule, though it was served.', 'naive',
                 'get pause:0.5 get', spec, 'h2', tls, {'goaway_respected': 'F', 'goaway-aware': 'F'}, wire=('ok', ('ok', 'refused')))
        t.add('goaway', 'It took the notice for what it says: closed, and went to a new connection.', 'watch',
              'get pause:0.5 get', spec, 'h2', tls, {'goaway_respected': 'P', 'goaway-aware': 'P'}, wire=('ok', 'ok'))
        spec = first(mode('goaway-race', gather='150ms', linger='never'))
        race = 'get pause:0.4 get*3 pause:0.5 get'
        t.add('goaway', 'The same without names: which of three equal requests is whose need not be known.', 'retry', race, spec,
              'h2', tls, {'goaway_respected': 'PI', 'recovered': 'PI', 'goaway-aware': 'PI'}, due=False,
              wire=('ok', 'refused', 'refused', 'refused', 'ok', 'ok', 'ok', 'ok'))
        t.add('goaway', 'Streams in flight above the last were each sent again once, on a new connection; so was the '
              'next call.', 'retry', race, spec, 'h2', tls, {'goaway_respected': 'P', 'recovered': 'P', 'goaway-aware': 'P'},
              named=True,
                 wire=('ok', 'refused', 'refused', 'refused', 'ok', 'ok', 'ok', 'ok'))
        one = 'get pause:0.4 get pause:0.5 get'
        t.add('goaway', 'A stream above the last was sent again twice at once.', 'retry-two', one, spec, 'h2', tls,
              {'goaway_respected': 'F', 'goaway-aware': 'F'}, named=True, wire=('ok', 'refused', 'ok', 'ok', 'ok'))
        t.add('goaway', 'No control, and no use of a connection again: it may do so each time.', 'watch',
              'get pause:1.7 get', mode('goaway-idle', idle=IDLE, **never), 'h2', tls,
              {'goaway_respected': 'I', 'closes_after_goaway': 'I'}, control=False, wire=('ok', 'ok'), remedy='control')
        t.spread('goaway', 'Streams in flight above the last, which cost nothing to repeat, were not repeated.',
                 'naive', 'get pause:0.4 get*3', spec, 'h2', tls, {'goaway_respected': 'F', 'recovered': 'F'},
                 wire=('ok', 'refused', 'refused', 'refused'))
        t.spread('goaway', 'A POST above the last stream was not done: it may be repeated without a key.',
                 'unprocessed', 'get pause:0.4 post', spec, 'h2', tls, {'recovered': 'P', 'safe_retry': 'PNI'},
                 wire=('ok', 'refused', 'ok'))
        spec = first(mode('goaway-calm', nth='2'))
        t.spread('goaway', 'Refused by GOAWAY(last 0), sent again at once on a new connection.', 'retry', GAP, spec,
                 'h2', tls, {'recovered': 'P', 'retry-once': 'P'}, wire=('ok', 'refused', 'ok'))
        t.spread('goaway', 'Refused by GOAWAY(last 0), and not sent again.', 'naive', GAP, spec, 'h2', tls,
                 {'recovered': 'F', 'retry-once': 'F'}, wire=('ok', 'refused'))
        plan = {'plan': [dict(mode('goaway-calm'), connection='1-7'), NORMAL]}
        t.spread('goaway', 'Calm was asked for seven times, and it came at once each time: a storm.', 'retry-ever',
                 'get', plan, 'h2', tls, {'no_storm': 'F', 'recovered': 'P'}, wire=('refused',) * 7 + ('ok',))
        spec = mode('goaway-then-hang')
        t.spread('goaway', 'The promised stream never came; it gave up and was answered elsewhere.', 'gives-up-retry',
                 GAP, spec, 'h2', tls, {'recovered': 'P', 'bounded-wait': 'P'},
                 params={'bounded-wait': {'max': '1500ms'}}, wire=('ok', 'timeout', 'ok'))
        t.spread('goaway', 'The promised stream never came; it gave up, and that was all.', 'gives-up', GAP, spec,
                 'h2', tls, {'recovered': 'F', 'bounded-wait': 'P'}, params={'bounded-wait': {'max': '1500ms'}},
                 wire=('ok', 'timeout'))
        for drops in ('drops', 'drops-cancel'):
            t.spread('goaway', 'It dropped the promised stream at GOAWAY, and its user saw the error.', drops, GAP, spec,
                     'h2', tls, {'recovered': 'F', 'retry-once': 'F', 'user_wait': 'P'}, wire=('ok', 'dropped'))
            t.spread('goaway', 'It dropped the promised stream at GOAWAY, and was answered elsewhere.', drops + '-retry', GAP,
                     spec, 'h2', tls, {'recovered': 'P', 'retry-once': 'P', 'user_wait': 'P'}, wire=('ok', 'dropped', 'ok'))
        t.spread('goaway', 'It dropped a POST that GOAWAY had promised, which may have been done, and sent it again without a '
                 'key.', 'drops-post', 'get pause:0.4 post', spec, 'h2', tls, {'safe_retry': 'F'},
                 wire=('ok', 'dropped', 'ok'))
        spec = mode('goaway-open-stream', after=0, linger='never')
        t.spread('goaway', 'GOAWAY promised the response that had begun; it dropped that, and its user saw the error.', 'drops',
                 GAP, spec, 'h2', tls, {'recovered': 'F'}, wire=('ok', 'dropped'))
        t.spread('goaway', 'GOAWAY promised the response that had begun; it dropped that, and was answered elsewhere.',
                 'drops-retry', GAP, spec, 'h2', tls, {'recovered': 'P', 'retry-once': 'P'}, wire=('ok', 'dropped', 'ok'))
        spec = mode('goaway-open-stream', linger='200ms')
        t.spread('goaway', 'The response was cut; it said so.', 'naive', GAP, spec, 'h2', tls, {'recovered': 'F'},
                 wire=('ok', 'cut'))
        t.spread('goaway', 'The response was cut; asked again elsewhere.', 'retry', GAP, spec, 'h2', tls,
                 {'recovered': 'P'}, wire=('ok', 'cut', 'ok'))
        spec = mode('goaway-http11')
        t.add('falls-back', 'It came back over http/1.1 and was answered.', 'falls-back', 'get', spec, 'h2', tls,
              {'falls_back': 'P', 'recovered': 'P'}, wire=('refused', 'ok'), control=False, listener='both')
        t.add('falls-back', 'It did not come back.', 'naive', 'get', spec, 'h2', tls,
              {'falls_back': 'F', 'recovered': 'F'}, wire=('refused',), control=False, listener='both')


def stream_family(t):
    for tls in (False, True):
        for at in ('headers', 'complete'):
            spec = mode('refuse-stream', at=at)
            t.spread('stream', 'REFUSED_STREAM, and the same request again on the same connection: that is right.',
                     'retry', GAP, spec, 'h2', tls, {'recovered': 'P', 'retry-once': 'P', 'retry_elsewhere': 'N',
                                                    'retries': 'P'}, wire=('ok', 'refused', 'ok'))
            t.spread('stream', 'REFUSED_STREAM, and not sent again.', 'naive', GAP, spec, 'h2', tls,
                     {'recovered': 'F', 'retry-once': 'F'}, wire=('ok', 'refused'))
            t.spread('stream', 'A refused POST was not done: to repeat it is free, to leave it is not required.',
                     'unprocessed', 'get pause:0.4 post', spec, 'h2', tls,
                     # Refused at its head, its content is not read, and cannot be compared.
                     {'recovered': 'P' if at == 'complete' else 'PI', 'safe_retry': 'PNI'},
                     wire=('ok', 'refused', 'ok'), due=at == 'complete')
            t.add('stream', 'The same, and its account shows that it was the one request, though its content was not read.',
                  'unprocessed', 'get pause:0.4 post', spec, 'h2', tls, {'recovered': 'P', 'user_wait': 'P', 'executed_once': 'P'},
                  wire=('ok', 'refused', 'ok'))
            t.spread('stream', 'A refused POST could have been repeated, and was not.', 'naive', 'get pause:0.4 post', spec,
                     'h2', tls, {'recovered': 'F', 'safe_retry': 'PNI'}, wire=('ok', 'refused'))
        for error in ('INTERNAL_ERROR', 'CANCEL', 'PROTOCOL_ERROR'):
            spec = mode('rst-stream', error=error)
            t.spread('stream', 'Its stream was reset before an answer; the same GET again was answered.', 'retry', GAP,
                     spec, 'h2', tls, {'recovered': 'P', 'retry-once': 'P', 'retry_elsewhere': 'N'}, wire=('ok', 'reset', 'ok'))
            t.spread('stream', 'Its stream was reset, and that was all.', 'naive', GAP, spec, 'h2', tls,
                     {'recovered': 'F', 'retry-once': 'F'}, wire=('ok', 'reset'))
            t.spread('stream', 'A POST whose stream was reset may have been done: sent again without a key.',
                     'post-keyless', 'get pause:0.4 post', spec, 'h2', tls, {'safe_retry': 'F', 'safe-retry': 'F'},
                     wire=('ok', 'reset', 'ok'))
            t.spread('stream', 'A POST whose stream was reset was reported.', 'naive', 'get pause:0.4 post', spec, 'h2', tls,
                     {'safe_retry': 'P', 'safe-retry': 'P', 'recovered': 'N'}, wire=('ok', 'reset'))


def streams_family(t):
    spec = mode('max-streams-one')
    for variant in VARIANTS[:3]:
        t.add('streams', 'Two streams too many, before it could know; sent again one by one. What was refused is not read, '
              'so that it need not be known which they were.', 'retry', 'get*3', spec, 'h2', False, {'recovered': 'PI'},
              wire=('ok', 'refused', 'refused', 'ok', 'ok'), due=False, **variant)
        t.add('streams', 'Two streams too many, before it could know; not sent again: never a pass.', 'naive', 'get*3', spec,
              'h2', False, {'recovered': 'FI'}, wire=('ok', 'refused', 'refused'), due=False, **variant)


FAMILIES = (goaway_family, stream_family, streams_family)
