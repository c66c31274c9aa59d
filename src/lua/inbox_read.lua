#!lua flags=allow-oom
-- inbox_read.lua: a user has read a notification, or all.
-- keys: the user's notifications, their order, those unread
-- args: how long they are kept in ms; the id of one (without it: all)
-- result: {1, or 0: there is none of this id; number that is unread still}
local call = redis.call
local id = ARGV[2]

-- include part_inbox.lua

drop_old(ARGV[1])
if not id then
  call('DEL', unread)
  return {1, 0}
end
call('SREM', unread, id)
return {call('HEXISTS', inbox, id), call('SCARD', unread)}
