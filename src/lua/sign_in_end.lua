#!lua flags=allow-oom
-- sign_in_end.lua: the attempt was right: forget the failures of the name, take the one of the address back, note the time.
-- keys: the name's counter, the address's counter, the accounts
-- args: name
-- result: 1
redis.call('DEL', KEYS[1])
if (tonumber(redis.call('HGET', KEYS[2], 'count')) or 0) > 1 then
  redis.call('HINCRBY', KEYS[2], 'count', -1)
  redis.call('HDEL', KEYS[2], 'open_at')
else
  redis.call('DEL', KEYS[2])
end
if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 1 then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[3], ARGV[1] .. ':seen', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
end
return 1
