-- Numbers that anybody may have written. Needs: nothing.

-- Anybody may write a job's hash: what is no number must not end a script in its middle. A score as text, or nil.
local function score_of(text)
  local n = tonumber(text)
  return n and n == n and math.abs(n) < 1e300 and text or nil
end

-- A whole number from 0 on, at most 2^48; else `instead`.
local function whole(text, instead)
  local n = tonumber(text)
  return n and n >= 0 and n < 2 ^ 48 and math.floor(n) or instead
end
