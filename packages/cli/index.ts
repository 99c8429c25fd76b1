/**
 * cli: the command line. One file for each verb (options, help, which function of repo it calls), printers that turn a
 * verb's result into text or JSON, a progress line, and one place where errors become words and exit codes.
 *
 * Promises: stdout carries results only, with --json exactly one document; progress, warnings and errors go to stderr;
 * no byte of a file's name reaches a terminal unescaped; exit codes are those of SPEC 3. Nothing else in bk prints.
 *
 * start.ts runs main(); launch.cjs comes before it and is what bin/bk starts.
 */
export * from './main.ts';
