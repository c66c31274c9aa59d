#!lua flags=allow-oom
-- sign_in_end.lua: the attempt was right: forget the failures of the name, take the one of the address back, note the time.
-- keys: the accounts, the name's counter, the address's counter if it was counted there
-- args: name
-- result: 1
local users, by_name, by_address = KEYS[1], KEYS[2], KEYS[3]

redis.call('DEL', by_name)
if by_address and (tonumber(redis.call('HGET', by_address, 'count')) or 0) > 1 then
  redis.call('HINCRBY', by_address, 'count', -1)
  redis.call('HDEL', by_address, 'open_at')
elseif by_address then
  redis.call('DEL', by_address)
end
if redis.call('HEXISTS', users, ARGV[1]) == 1 then
  local time = redis.call('TIME')
  redis.call('HSET', users, ARGV[1] .. ':seen', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
end
return 1
