# Completion of oftp2peer for fish; made by t/completion.rs.
function __oftp2peer_words
    set -l before (string match --invert -- '-*' (commandline -opc)[2..-1])
    while true
        switch "$before"
            case ''
                string split ' ' -- 'send receive ca -h'
                return
            case 'ca'
                string split ' ' -- '--name --ssid --host --server --client --both --days --rsa --crl-url -h'
                return
            case 'receive'
                string split ' ' -- '--listen --into --discard --sessions --once --eerp --nerp --refuse-file --refuse-end --send --json --progress --ssid --password --peer-ssid --peer-password --level --sdeb --credit --compress --timeout --tls --cert --key --ca --tls-version -h'
                return
            case 'send'
                string split ' ' -- '--connect --bind --server-name --any-name --proxy-connect --socks5 --dest --orig --name --format --lrecl --stamp --restart --wait-eerp --json --progress --ssid --password --peer-ssid --peer-password --level --sdeb --credit --compress --timeout --tls --cert --key --ca --tls-version -h'
                return
        end
        test (count $before) -gt 1; or return
        set -e before[-1]
    end
end
complete -c oftp2peer -a '(__oftp2peer_words)'
