# shellcheck shell=bash
# Processes, their logs, free ports. Waiting is for an event with a deadline. Sourced after say.sh.

# runs PID NAME: whether this process exists and has this name (the kernel keeps 15 characters of a name).
runs() {
    [[ $1 =~ ^[0-9]+$ && -r /proc/$1/comm ]] && [[ $(<"/proc/$1/comm") == "${2:0:15}" ]] &&
        [[ ! $(<"/proc/$1/stat") =~ \)\ Z ]]
} 2>/dev/null

# wait_for_line SECONDS PID PATTERN FILE...: waits until a line of the FILEs, which need not exist yet, matches. Fails
# at the deadline, and when the process PID has ended without such a line.
wait_for_line() {
    local seconds=$1 pid=$2 pattern=$3 lines follower status=1
    shift 3
    exec {lines}< <(exec timeout "$seconds" tail -q -n +1 -s 0.2 -F --pid="$pid" -- "$@" 2>/dev/null)
    follower=$!
    grep -q -m 1 -E -e "$pattern" <&"$lines" && status=0
    kill "$follower" 2>/dev/null || true
    exec {lines}<&-
    return "$status"
}

# wait_for_end SECONDS PID...: waits until each of the processes has ended, even if it is a zombie: in a container the
# first process, which collects daemons, may be slow. 434 is pidfd_open(2), except on MIPS and Alpha.
wait_for_end() {
    # shellcheck disable=SC2016 # Perl's variables
    perl -e '
        my $until = time + shift;
        for my $pid (@ARGV) {
            my $process = syscall(434, $pid + 0, 0);
            next if $process < 0 && $!{ESRCH};
            die "pidfd_open: $!\n" if $process < 0;
            vec(my $wanted = "", $process, 1) = 1;
            my $left = $until - time;
            select($wanted, undef, undef, $left > 0 ? $left : 0) > 0 or exit 1;
        }' "$@"
}

# descendants PID...: the PIDs of all processes beneath these.
descendants() {
    local pid children
    for pid in "$@"; do
        read -r children 2>/dev/null <"/proc/$pid/task/$pid/children" || true
        # shellcheck disable=SC2086 # a list
        [[ -z ${children:-} ]] || { echo $children && descendants $children; }
        children=''
    done
}

# end_process PID NAME: tells the process to end, then waits for it and its children. Sessions that go on are told to end,
# too; processes that still run after that are killed. (In an exit handler, a plain return would return the script's
# status, therefore 'return 0'.)
end_process() {
    local pid=$1 signal
    runs "$pid" "$2" || return 0
    local family
    read -r -a family < <(echo "$pid" "$(descendants "$pid")" | tr '\n' ' ') || true
    kill -TERM "$pid" 2>/dev/null || true
    for signal in TERM KILL; do
        wait_for_end 5 "${family[@]}" && return 0
        note "$2 (PID $pid) or a session of it has not ended yet: SIG$signal"
        kill -"$signal" "${family[@]}" 2>/dev/null || true
    done
    wait_for_end 5 "${family[@]}" || note "$2 (PID $pid) cannot be ended"
}

# free_port: a TCP port that no socket of this machine uses. It is below the range from which the kernel takes ports for
# outgoing connections, so that none of those takes it in the meantime.
free_port() {
    local port try
    for ((try = 0; try < 1000; try++)); do
        port=$((20000 + RANDOM % 12000))
        if ! grep -q "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$port") " /proc/net/tcp /proc/net/tcp6 2>/dev/null; then
            echo "$port"
            return 0
        fi
    done
    die 'No free TCP port between 20000 and 32000 was found.'
}

# show_tail FILE...: the last lines of those that exist.
show_tail() {
    local file
    for file in "$@"; do
        [[ -s $file ]] || continue
        printf '%s\n' "--- the last lines of $file" >&2
        tail -n 15 -- "$file" >&2
    done
}
