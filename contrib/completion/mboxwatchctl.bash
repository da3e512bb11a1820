# shellcheck shell=bash
# mboxwatchctl.bash: words for bash's completion. Commands, options and what a command takes are those
# that the program's own help names; mailboxes, hosts, domains, labels are asked of the daemon.

# The program, at the socket that the line names.
_mboxwatchctl_ask() {
    "${COMP_WORDS[0]}" ${_mboxwatchctl_socket:+--socket "$_mboxwatchctl_socket"} "$@" 2>/dev/null </dev/null
}

_mboxwatchctl_commands() {
    _mboxwatchctl_ask --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\).*/\1/p'
}

_mboxwatchctl_options() { # COMMAND
    _mboxwatchctl_ask "$@" --help | sed -n '/^Options:/,$s/^  \(--*[a-z][a-z-]*\).*/\1/p'
}

_mboxwatchctl_causes() {
    _mboxwatchctl_ask causes | sed '1d; s/ .*//'
}

# The names that begin with WORD.
_mboxwatchctl_names() { # WORD
    [[ $1 =~ ^[A-Za-z0-9._@+-]*$ ]] || return
    _mboxwatchctl_ask status --json "$1*" | sed -n 's/^{"name":"\([A-Za-z0-9._@+-]*\)".*/\1/p'
}

# What stands behind a member's name in the documents of all mailboxes, each once.
_mboxwatchctl_members() { # NAME
    _mboxwatchctl_ask status --json | grep -o "\"$1\":\"[^\"\\\\ ]*\"" | sed 's/.*:"\(.*\)"/\1/' | sort -u
}

_mboxwatchctl_selectors() { # WORD
    case $1 in
    state:*) printf 'state:%s\n' failing unknown ok paused suspect ;;
    cause:*) _mboxwatchctl_causes | sed 's/^/cause:/' ;;
    host:*) _mboxwatchctl_members host | sed 's/^/host:/' ;;
    incident:*) _mboxwatchctl_members incident | sed 's/^/incident:/' ;;
    @*) _mboxwatchctl_members address | sed -n 's/.*@/@/p' | sort -u ;;
    label.*)
        _mboxwatchctl_ask status --json | grep -o '"labels":{[^}]*}' | grep -oE '"[a-z][a-z0-9_]*":"[^"\ ]*"' |
            sed 's/^"\(.*\)":"\(.*\)"$/label.\1=\2/' | sort -u
        ;;
    *)
        _mboxwatchctl_names "$1"
        printf '%s\n' state: cause: host: label. incident:
        ;;
    esac
}

# What fits at WORD, behind COMMAND and the option BEFORE.
_mboxwatchctl_words() { # WORD BEFORE COMMAND
    local usage

    case $2 in
    --for | --since) printf '%s\n' 30m 1h 2h 8h 1d && return ;;
    --reason) return ;;
    esac
    if [[ $1 == -* ]]; then
        _mboxwatchctl_options ${3:+"$3"}
    elif [[ -z $3 ]]; then
        _mboxwatchctl_commands
    else
        usage=$(_mboxwatchctl_ask "$3" --help | sed -n '1s/^usage: //p')
        case $usage in
        *SELECTOR*) _mboxwatchctl_selectors "$1" ;;
        *NAME*) _mboxwatchctl_names "$1" ;;
        *CAUSE*) _mboxwatchctl_causes ;;
        *PROVIDER*) _mboxwatchctl_ask providers | sed '1d; s/ .*//' ;;
        *SINK*) _mboxwatchctl_ask metrics --no-detail | sed -n 's/^mboxwatch_sink_queue{sink="\(.*\)"}.*/\1/p' ;;
        esac
    fi
}

_mboxwatchctl() {
    local line=${COMP_LINE:0:COMP_POINT} word before='' command='' one i at
    local _mboxwatchctl_socket=''
    local -a words

    # Names hold "@", selectors ":" and "=", and bash breaks words there: so the line is read anew.
    read -ra words <<<"$line"
    word=${line##*[[:blank:]]}
    [[ -z $word ]] || unset 'words[-1]'
    for ((i = 1; i < ${#words[@]}; i++)); do
        case ${words[i]} in
        --socket) _mboxwatchctl_socket=${words[++i]-} ;;
        --socket=*) _mboxwatchctl_socket=${words[i]#*=} ;;
        --since | --for | --reason | -f) ((i++)) ;;
        -*) ;;
        *)
            command=${words[i]}
            break
            ;;
        esac
    done
    ((${#words[@]} > 1)) && before=${words[-1]}
    if [[ $before == --socket || $before == -f || $command == import ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
    fi
    mapfile -t COMPREPLY < <(_mboxwatchctl_words "$word" "$before" "$command" | while IFS= read -r one; do
        [[ $one != "$word"* ]] || printf '%s\n' "$one"
    done)
    [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *[:.] ]] || compopt -o nospace
    # Only what stands behind the last of bash's own breaks is replaced; "@" stands with what follows it.
    for ((at = ${#word}; at > 0; at--)); do
        one=${word:at-1:1}
        if [[ $one == [:=] && $COMP_WORDBREAKS == *"$one"* ]]; then
            break
        elif [[ $one == @ && $COMP_WORDBREAKS == *@* ]]; then
            ((at--))
            break
        fi
    done
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]:at}
    done
}

complete -F _mboxwatchctl mboxwatchctl
