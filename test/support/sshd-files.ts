import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

export const SSHD = '/usr/sbin/sshd';

export interface SshdPlace {
  /** New, for everything that it needs. */
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  /** The bk that the other end finds. */
  readonly bk: string;
  /** Shell lines of the other end's start-up: noise, another PATH. */
  readonly startUp?: string;
}

/**
 * Throw-away keys and configuration of an sshd and its client: what ssh asks for runs in a shell whose home folder is
 * `home` and whose PATH begins with a folder in which `bk` is the one given.
 */
export class SshdFiles {
  readonly home: string;
  readonly serverConfig: string;
  readonly clientConfig: string;
  readonly #place: SshdPlace;

  constructor(place: SshdPlace) {
    this.#place = place;
    this.home = this.#make('home');
    const bin = this.#make('bin');
    fs.symlinkSync(place.bk, path.join(bin, 'bk'));
    const shell = `export HOME='${this.home}' PATH='${bin}':"$PATH" LC_ALL=C.UTF-8; cd\n${place.startUp ?? ''}`;
    this.write('shell', `#!/bin/sh\n${shell}\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n`, 0o755);
    this.write('authorized_keys', '');
    this.#makeKeys();
    this.allow('user', this.at('shell'));
    this.serverConfig = this.#writeServerConfig();
    this.clientConfig = this.#writeClientConfig();
    if (process.getuid?.() === 0) fs.mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  }

  /** For bk and rsync alike. */
  get ssh(): string {
    return `ssh -F '${this.clientConfig}'`;
  }

  get pidFile(): string {
    return this.at('sshd.pid');
  }

  at(name: string): string {
    return path.join(this.#place.folder, name);
  }

  write(name: string, text: string, mode = 0o600): string {
    fs.writeFileSync(this.at(name), text, { mode });
    return this.at(name);
  }

  /** Lets one more key in, under a name that serves as the host's: all that it may do is this command. */
  allow(name: string, command: string): void {
    const [type, key] = fs.readFileSync(`${this.#key(name)}.pub`, 'utf8').split(' ');
    const quoted = command.replaceAll('"', '\\"');
    fs.appendFileSync(this.at('authorized_keys'), `command="${quoted}",restrict ${type} ${key}\n`);
  }

  /** Takes back what `allow` let in. */
  forbid(name: string): void {
    const [, key = ''] = fs.readFileSync(`${this.#key(name)}.pub`, 'utf8').split(' ');
    const lines = fs.readFileSync(this.at('authorized_keys'), 'utf8').split('\n');
    this.write('authorized_keys', lines.filter((line) => !line.includes(key)).join('\n'));
  }

  #makeKeys(): void {
    for (const name of ['server', 'user', 'kept', 'stranger'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', this.#key(name)]);
    const server = fs.readFileSync(`${this.#key('server')}.pub`, 'utf8');
    this.write('known_hosts', `[${this.#place.host}]:${this.#place.port} ${server}`);
  }

  #writeServerConfig(): string {
    const { host, port } = this.#place;
    const lines = [
      `Port ${port}`,
      `ListenAddress ${host}`,
      `HostKey ${this.#key('server')}`,
      `PidFile ${this.pidFile}`,
      `AuthorizedKeysFile ${this.at('authorized_keys')}`,
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin yes',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'MaxStartups 100',
      'PrintMotd no',
    ];
    return this.write('sshd_config', `${lines.join('\n')}\n`);
  }

  /** `user` may do all, `kept` what `allow` says, `stranger` nothing. */
  #writeClientConfig(): string {
    const { host, port } = this.#place;
    const section = (name: string) => `Host ${name}
  HostName ${host}
  Port ${port}
  IdentityFile ${this.#key(name)}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile ${this.at('known_hosts')}
  StrictHostKeyChecking yes
  GlobalKnownHostsFile /dev/null
`;
    return this.write('ssh_config', ['user', 'kept', 'stranger'].map(section).join(''));
  }

  #key(name: string): string {
    return this.at(`key-${name}`);
  }

  #make(name: string): string {
    fs.mkdirSync(this.at(name));
    return this.at(name);
  }
}
