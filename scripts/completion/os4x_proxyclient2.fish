# Completion of os4x_proxyclient2 for fish; made by t/completion.rs.
function __os4x_proxyclient2_words
    set -l before (string match --invert -- '-*' (commandline -opc)[2..-1])
    while true
        switch "$before"
            case ''
                string split ' ' -- '-U -S -T -h -v -d -o --foreground -t'
                return
        end
        test (count $before) -gt 1; or return
        set -e before[-1]
    end
end
complete -c os4x_proxyclient2 -a '(__os4x_proxyclient2_words)'
