import { closeSync, openSync, readSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../errors.ts';

/** What Node calls an architecture, and the number that ELF files have for it. */
const ELF_MACHINES: Readonly<Record<string, number>> = {
  ia32: 3,
  arm: 40,
  x64: 62,
  arm64: 183,
  riscv64: 243,
  loong64: 258,
};

/**
 * Why a native package did not load, on one line. Node and the dynamic linker say it at length, with advice for other
 * set-ups, and call a library of another architecture one that is not there.
 *
 * @param opened the addons that Node tried to open
 */
export function reasonOf(error: unknown, opened: readonly string[]): string {
  const said = messageOf(error);
  const missing = /native addon module \(([^)]+)\) can not be found/.exec(said);
  if (missing) return `has no library: its ${missing[1]} is not there, as after an install without install scripts`;
  const addon = opened.at(-1);
  const isLinker = error instanceof Error && Reflect.get(error, 'code') === 'ERR_DLOPEN_FAILED';
  if (isLinker && addon !== undefined) return linkerReason(said, addon);
  return `its import failed: ${said.replace(/ Require stack:.*$/, '')}`;
}

/** The linker's message, without the addon's long path; or what is wrong with the file that it could not use. */
function linkerReason(said: string, addon: string): string {
  if (process.platform !== 'linux') return said;
  const name = /(?:^|[ /])([^ /]+): (?:cannot open shared object file|invalid ELF header|wrong ELF class)/.exec(said);
  const library = join(dirname(addon), '../../deps/lib', name?.[1] ?? '');
  for (const file of name ? [addon, library] : [addon]) {
    const problem = elfProblem(file);
    if (problem) return `${basename(file)} ${problem}`;
  }
  return said.replaceAll(addon, basename(addon));
}

/** What is wrong with a library's header for the running Node; undefined where nothing is, or the file is not there. */
export function elfProblem(file: string, arch: string = process.arch): string | undefined {
  const header = headOf(file);
  if (!header) return undefined;
  if (header.length < 20 || header.readUInt32BE(0) !== 0x7f454c46) return 'is not a library of Linux: no ELF header';
  const machine = header[5] === 2 ? header.readUInt16BE(18) : header.readUInt16LE(18);
  if (machine === ELF_MACHINES[arch]) return undefined;
  const known = Object.keys(ELF_MACHINES).find((name) => ELF_MACHINES[name] === machine);
  return `is for ${known ?? `the processor with ELF number ${machine}`}, and this Node is for ${arch}`;
}

function headOf(file: string): Buffer | undefined {
  const header = Buffer.alloc(20);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    return header.subarray(0, readSync(descriptor, header));
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
