bind 'tcp://127.0.0.1:@port_h1@'
bind 'ssl://127.0.0.1:@port_h1s@?key=@key@&cert=@cert@&verify_mode=none'
threads 16, 16
persistent_timeout 2
first_data_timeout 1
rackup '@dir@/config.ru'
