# Prints --nohup where SIGHUP was ignored when the task was started, as nohup does it.
#
# deno task puts a handler in the place of what it was started with, and that cannot be seen afterwards. So each task of
# deno.json asks first of all, before that: Linux tells it in the lowest bit of SigIgn, other systems do not tell.
grep -qs 'SigIgn:.*[13579bdf]$' /proc/self/status && echo --nohup
