run lambda { |env|
  env['rack.input'].read
  sleep 1 if env['PATH_INFO'].include?('slow')
  [200, { 'Content-Length' => '2' }, ['{}']]
}
