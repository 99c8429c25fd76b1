import { optionsOf } from '../parse.ts';
import type { Session } from '../session.ts';
import { nameOf, type Verb, verb } from '../verb.ts';

/** @param verbs all others; their names, options and descriptions are what the scripts complete */
export function completion(verbs: readonly Verb[]): Verb {
  return verb({
    usage: 'completion [shell]',
    about: 'print a script that completes bk’s commands in bash or zsh',
    examples: [
      ['bk completion bash > ~/.local/share/bash-completion/completions/bk', 'for bash'],
      ['bk completion zsh > ~/.zfunc/_bk', 'for zsh, with ~/.zfunc in fpath'],
    ],
    options: (yargs) =>
      yargs.positional('shell', {
        type: 'string',
        choices: ['bash', 'zsh'] as const,
        describe: 'which shell (default: the one in SHELL)',
      }),
    run({ shell }, session: Session) {
      const wanted = shell ?? (process.env['SHELL']?.endsWith('zsh') ? 'zsh' : 'bash');
      const script = wanted === 'zsh' ? zsh(verbs) : bash(verbs);
      session.result({ shell: wanted, script }, (made) => made.script, []);
      return 0;
    },
  });
}

function bash(verbs: readonly Verb[]): string {
  const cases = verbs.map((each) => `    ${nameOf(each)}) options="${optionsOf(each).join(' ')}" ;;`);
  return `# bash completion for bk; made by \`bk completion bash\`
_bk() {
  local word=\${COMP_WORDS[COMP_CWORD]} verb= options= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      -C | --color) ((i++)) ;;
      -*) ;;
      *) verb=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $verb in
    '') options="${[...verbs.map(nameOf), 'completion', '--help', '--version', '-C'].join(' ')}" ;;
${cases.join('\n')}
    completion) options="bash zsh" ;;
  esac
  if [[ -z $verb || $word == -* || $verb == completion ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  else
    local IFS=$'\\n'
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _bk bk
`;
}

function zsh(verbs: readonly Verb[]): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const commands = verbs.map(
    (each) => `    ${quoted(`${nameOf(each)}:${each.about.replaceAll(':', '\\:')}`)}`,
  );
  const cases = verbs.map((each) => `    ${nameOf(each)}) options=(${optionsOf(each).join(' ')}) ;;`);
  return `#compdef bk
# zsh completion for bk; made by \`bk completion zsh\`
_bk() {
  local -a commands options
  commands=(
${commands.join('\n')}
    'completion:print this script'
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  case $words[2] in
${cases.join('\n')}
    completion) compadd bash zsh; return ;;
  esac
  if [[ $PREFIX == -* ]]; then
    compadd -a options
  else
    _files
  fi
}
_bk "$@"
`;
}
