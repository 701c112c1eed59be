# Completion of os4x_proxyserver2 for fish; made by t/completion.rs.
function __os4x_proxyserver2_words
    set -l before (string match --invert -- '-*' (commandline -opc)[2..-1])
    while true
        switch "$before"
            case ''
                string split ' ' -- '-h -v -i -L -l -V --foreground -t'
                return
        end
        test (count $before) -gt 1; or return
        set -e before[-1]
    end
end
complete -c os4x_proxyserver2 -a '(__os4x_proxyserver2_words)'
