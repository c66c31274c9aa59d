-- What becomes of a job is told on the channel of all, its own, and its user's. Needs: call, channel, now_text.
local own_channel, user_channel = channel .. ':task:', channel .. ':user:'

local function quoted(text)
  if string.find(text, '[%c"\\]') then return cjson.encode(text) end
  return '"' .. text .. '"'
end

-- more: further members, each with a comma before it; none when absent
local function tell(id, user, what, status, more)
  local known = user and user ~= ''
  local message = '{"type":"task_' .. what .. '","task_id":' .. quoted(id) .. ',"user_id":' .. (known and quoted(user) or 'null') ..
    ',"status":"' .. status .. '"' .. (more or '') .. ',"timestamp":' .. now_text .. '}'
  call('PUBLISH', channel, message)
  call('PUBLISH', own_channel .. id, message)
  if known then call('PUBLISH', user_channel .. user, message) end
end
