# Completion of os4xapi for fish; made by t/completion.rs.
function __os4xapi_words
    set -l before (string match --invert -- '-*' (commandline -opc)[2..-1])
    while true
        switch "$before"
            case ''
                string split ' ' -- 'setup init serve backup restore export import copy config partner proxy proxyclient cert trust crl token licence ban ignore expiry audit status check refused log session sessions user key support -h -v'
                return
            case 'audit'
                string split ' ' -- 'list show verify revert'
                return
            case 'audit list'
                string split ' ' -- '--actor --act --object --since --limit --json -h'
                return
            case 'audit revert'
                string split ' ' -- '--yes --dry-run --if-version -h'
                return
            case 'audit show'
                string split ' ' -- '--json -h'
                return
            case 'audit verify'
                string split ' ' -- '-h'
                return
            case 'backup'
                string split ' ' -- '--done -h'
                return
            case 'ban'
                string split ' ' -- 'add list remove'
                return
            case 'ban add'
                string split ' ' -- '--until --description --dry-run --if-version -h'
                return
            case 'ban list'
                string split ' ' -- '--json -h'
                return
            case 'ban remove'
                string split ' ' -- '--yes --dry-run --if-version -h'
                return
            case 'cert'
                string split ' ' -- 'set unset list show https csr next'
                return
            case 'cert csr'
                string split ' ' -- '--subject --host --algorithm --replace -o --dry-run --if-version -h'
                return
            case 'cert https'
                string split ' ' -- '--host --dry-run --if-version -h'
                return
            case 'cert list'
                string split ' ' -- '--json -h'
                return
            case 'cert next'
                string split ' ' -- '--chain --from --key --password-file --cancel --dry-run --if-version -h'
                return
            case 'cert set'
                string split ' ' -- '--chain --key --password-file --dry-run --if-version -h'
                return
            case 'cert show'
                string split ' ' -- '-o -h'
                return
            case 'cert unset'
                string split ' ' -- '--dry-run --if-version -h'
                return
            case 'check'
                string split ' ' -- '-w --warning -c --critical -h'
                return
            case 'config'
                string split ' ' -- 'get set list'
                return
            case 'config get'
                string split ' ' -- '-h'
                return
            case 'config list'
                string split ' ' -- '--json -h'
                return
            case 'config set'
                string split ' ' -- '--dry-run --if-version -h'
                return
            case 'copy'
                string split ' ' -- '--to --dry-run --if-version -h'
                return
            case 'crl'
                string split ' ' -- 'add list fetch remove'
                return
            case 'crl add'
                string split ' ' -- '--dry-run --if-version -h'
                return
            case 'crl fetch'
                string split ' ' -- '--dry-run --if-version -h'
                return
            case 'crl list'
                string split ' ' -- '--json -h'
                return
            case 'crl remove'
                string split ' ' -- '--yes --dry-run --if-version -h'
                return
            case 'expiry'
                string split ' ' -- '--days --json --ics -o -h'
                return
            case 'export'
                string split ' ' -- '--passphrase-file -o -h'
                return
            case 'ignore'
                string split ' ' -- 'add list remove'
                return
            case 'ignore add'
                string split ' ' -- '--days --partner --address --reason --description --until --dry-run --if-version -h'
                return
            case 'ignore list'
                string split ' ' -- '--json -h'
                return
            case 'ignore remove'
                string split ' ' -- '--yes --dry-run --if-version -h'
                return
            case 'import'
                string split ' ' -- '--replace --passphrase-file --yes --dry-run --if-version -h'
                return
            case 'init'
                string split ' ' -- '--host --db --dry-run --if-version -h'
                return
            case 'key'
                string split ' ' -- 'add list remove'
                return
            case 'key add'
                string split ' ' -- '--network --role --scope --until -o --dry-run --if-version -h'
                return
            case 'key list'
                string split ' ' -- '--json -h'
                return
            case 'key remove'
                string split ' ' -- '--yes --dry-run --if-version -h'
                return
            case 'licence'
                string split ' ' -- 'issue'
                return
            case 'licence issue'
                string split ' ' -- '--holder --days -o --no-add --dry-run --if-version -h'
                return
            case 'log'
                string split ' ' -- '--limit --json -h'
                return
            case 'partner'
                string split ' ' -- 'add set list show debug remove test'
                return
            case 'partner add'
                string split ' ' -- '--ssid --enabled --certificate --pin --no-pins --password-file --profile --allow --host --port --tls --outgoing-ip --check-ssid --usage --legacy-suites --max-file-size --file-names --network --dry-run --if-version -h'
                return
            case 'partner debug'
                string split ' ' -- '--for --off --json --dry-run --if-version -h'
                return
            case 'partner list'
                string split ' ' -- '--json -h'
                return
            case 'partner remove'
                string split ' ' -- '--yes --dry-run --if-version -h'
                return
            case 'partner set'
                string split ' ' -- '--ssid --enabled --certificate --pin --no-pins --password-file --profile --allow --host --port --tls --outgoing-ip --check-ssid --usage --legacy-suites --max-file-size --file-names --network --dry-run --if-version -h'
                return
            case 'partner show'
                string split ' ' -- '--json -h'
                return
            case 'partner test'
                string split ' ' -- '--dry-run --json --if-version -h'
                return
            case 'proxy'
                string split ' ' -- 'add list show set unset drain undrain remove'
                return
            case 'proxy add'
                string split ' ' -- '--name --dry-run --if-version -h'
                return
            case 'proxy drain'
                string split ' ' -- '--dry-run --if-version -h'
                return
            case 'proxy list'
                string split ' ' -- '--json -h'
                return
            case 'proxy remove'
                string split ' ' -- '--yes --dry-run --if-version -h'
                return
            case 'proxy set'
                string split ' ' -- '--dry-run --if-version -h'
                return
            case 'proxy show'
                string split ' ' -- '--json -h'
                return
            case 'proxy undrain'
                string split ' ' -- '--dry-run --if-version -h'
                return
            case 'proxy unset'
                string split ' ' -- '--dry-run --if-version -h'
                return
            case 'proxyclient'
                string split ' ' -- 'add list remove'
                return
            case 'proxyclient add'
                string split ' ' -- '--name --partner --port --listen-ip --network --dry-run --if-version -h'
                return
            case 'proxyclient list'
                string split ' ' -- '--json -h'
                return
            case 'proxyclient remove'
                string split ' ' -- '--partner --yes --dry-run --if-version -h'
                return
            case 'refused'
                string split ' ' -- '--hours --limit --json -h'
                return
            case 'restore'
                string split ' ' -- '--yes --dry-run --if-version -h'
                return
            case 'serve'
                string split ' ' -- '--listen --panel -h'
                return
            case 'session'
                string split ' ' -- 'end'
                return
            case 'session end'
                string split ' ' -- '--yes --dry-run --if-version -h'
                return
            case 'sessions'
                string split ' ' -- '--server --limit --files --json -h'
                return
            case 'setup'
                string split ' ' -- '--server --host --listen --station --partner --ssid --pin --dry-run --if-version -h'
                return
            case 'status'
                string split ' ' -- '--watch --json -h'
                return
            case 'support'
                string split ' ' -- '-o -h'
                return
            case 'token'
                string split ' ' -- 'show rotate'
                return
            case 'token rotate'
                string split ' ' -- '--overlap -o --dry-run --if-version -h'
                return
            case 'token show'
                string split ' ' -- '-o -h'
                return
            case 'trust'
                string split ' ' -- 'add set list remove'
                return
            case 'trust add'
                string split ' ' -- '--name --no-crl --password-file --dry-run --if-version -h'
                return
            case 'trust list'
                string split ' ' -- '--json -h'
                return
            case 'trust remove'
                string split ' ' -- '--yes --dry-run --if-version -h'
                return
            case 'trust set'
                string split ' ' -- '--no-crl --dry-run --if-version -h'
                return
            case 'user'
                string split ' ' -- 'add list set reset unlock remove'
                return
            case 'user add'
                string split ' ' -- '--role --dry-run --if-version -h'
                return
            case 'user list'
                string split ' ' -- '--json -h'
                return
            case 'user remove'
                string split ' ' -- '--yes --dry-run --if-version -h'
                return
            case 'user reset'
                string split ' ' -- '--yes --dry-run --if-version -h'
                return
            case 'user set'
                string split ' ' -- '--role --enabled --dry-run --if-version -h'
                return
            case 'user unlock'
                string split ' ' -- '--dry-run --if-version -h'
                return
        end
        test (count $before) -gt 1; or return
        set -e before[-1]
    end
end
complete -c os4xapi -a '(__os4xapi_words)'
