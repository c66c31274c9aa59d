-- The history of a job with one attempt more: a JSON array whose entries begin with {"run": (no quote inside a text is bare), the oldest
-- dropped. Needs: now_text.
local HISTORY_MAX = 20

local function noted(history, run, worker, text)
  local entry = '{"run":' .. run .. ',"at":' .. now_text .. ',"worker":' .. cjson.encode(worker or '') .. ',"error":' .. cjson.encode(text) .. '}'
  local _, count = string.gsub(history or '', '{"run":', '')
  if count >= HISTORY_MAX then
    local second = string.find(history, ',{"run":', 2, true)
    history = second and '[' .. string.sub(history, second + 1)
  end
  if count == 0 or not history then return '[' .. entry .. ']' end
  return string.sub(history, 1, -2) .. ',' .. entry .. ']'
end
