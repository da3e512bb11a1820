# mboxwatchctl.bash: words for bash's completion: commands, options, names of mailboxes (asked of the daemon).

_mboxwatchctl_names() {
    mboxwatchctl status --json 2>/dev/null |
        sed -n 's/^{"name":"\([A-Za-z0-9._@+-]*\)".*/\1/p'
}

_mboxwatchctl() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' i
    local commands='status show probe events pause resume reload causes metrics test-alert version'
    local options='--socket --json --help --version'

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --socket) ((i++)) ;;
        -*) ;;
        *)
            command=${COMP_WORDS[i]}
            break
            ;;
        esac
    done
    case $before in
    --socket)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --since | --for | --reason)
        COMPREPLY=()
        return
        ;;
    esac
    case $command in
    events) options+=' --follow --since' ;;
    pause) options+=' --for --reason' ;;
    resume) options+=' --reason' ;;
    metrics) options+=' --no-detail' ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    elif [[ -z $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
    elif [[ $command == causes ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(mboxwatchctl causes 2>/dev/null | sed '1d; s/ .*//')" -- "$word")
    elif [[ $command =~ ^(status|show|probe|events|pause|resume)$ ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_mboxwatchctl_names)" -- "$word")
    fi
}

complete -F _mboxwatchctl mboxwatchctl
