/**
 * Assembles the LoRA kernel: converters/lora/kernel/kernel.wat to kernel-binary.ts beside it. The binary is base64 in a
 * module, so that it is there in the same way in the sources, compiled, and in a bundle. A test compares the two.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import wabt from 'wabt';

const folder = new URL('../converters/lora/kernel/', import.meta.url);
const source = new URL('kernel.wat', folder);

/** The binary that a WebAssembly text gives. @throws Error that names the line, for text that cannot be assembled */
export async function assemble(text: string): Promise<Buffer<ArrayBuffer>> {
  const { parseWat } = await wabt();
  const module = parseWat('kernel.wat', text, { simd: true, threads: true });
  try {
    const binary = Buffer.from(module.toBinary({}).buffer);
    // wabt assembles what is not valid, such as an operand of the wrong type.
    new WebAssembly.Module(binary);
    return binary;
  } finally {
    module.destroy();
  }
}

/** The TypeScript module that holds the binary of kernel.wat. */
export async function kernelBinaryModule(): Promise<string> {
  const binary = await assemble(readFileSync(source, 'utf8'));
  return `/** kernel.wat assembled, in base64. Written by \`npm run kernel\`: change the source, not this. */
export const KERNEL_BINARY =
  '${binary.toString('base64')}';
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(new URL('kernel-binary.ts', folder), await kernelBinaryModule());
}
