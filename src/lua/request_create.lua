-- Make a request, once.
-- KEYS  1 document  2 guard  3 events
-- ARGV  1 document text  2 TTL in ms  3 history entry  4 channel  5 stored view  6... guard fields and values
-- Result: {1, ''} made; {0, guard's `values`} it was there already, nothing changed
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then
  return {0, redis.call('HGET', KEYS[2], 'values') or ''}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], unpack(ARGV, 6))
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('RPUSH', KEYS[3], ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[2])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return {1, ''}
