# Completion of oftp2check for fish; made by t/completion.rs.
function __oftp2check_words
    set -l before (string match --invert -- '-*' (commandline -opc)[2..-1])
    while true
        switch "$before"
            case ''
                string split ' ' -- '-f --format -h --help -j --json -p --profile'
                return
        end
        test (count $before) -gt 1; or return
        set -e before[-1]
    end
end
complete -c oftp2check -a '(__oftp2check_words)'
