import { SlothfulError } from '../errors.ts';

/** What of a machine decides which wheel runs on it. */
export interface Machine {
  /** `process.platform` */
  readonly platform: string;
  /** `process.arch` */
  readonly arch: string;
  /** Version of the C library, "2.36"; undefined where it is not glibc. */
  readonly glibc: string | undefined;
}

/** The wheel to ask pip for. */
export interface WheelTarget {
  /** Name of the package on the index. */
  readonly project: 'tensorflow' | 'tensorflow-cpu';
  /** Processor as wheels name it. */
  readonly arch: 'x86_64' | 'aarch64';
  /** Platform tags that this machine takes, best first. */
  readonly platforms: readonly string[];
}

const STOCK = 'try the package @tensorflow/tfjs-node, or leave the backend to the toolkit: it takes wasm';

/** TensorFlow's wheels are built on glibc 2.17 and later. */
const OLDEST_GLIBC_MINOR = 17;

/**
 * Which TensorFlow wheel has the library for a machine.
 *
 * @throws SlothfulError `unsupported` where there is none
 */
export function wheelTarget(machine: Machine, gpu: boolean): WheelTarget {
  const { platform, arch, glibc } = machine;
  if (platform !== 'linux') {
    throw new SlothfulError('unsupported', `${platform} ${arch}`, 'setup-native knows Linux only', STOCK);
  }
  const wheelArch = arch === 'x64' ? 'x86_64' : arch === 'arm64' ? 'aarch64' : undefined;
  if (!wheelArch) throw new SlothfulError('unsupported', `linux ${arch}`, 'has no TensorFlow wheel', STOCK);
  const minor = Number(/^2\.(\d+)/.exec(glibc ?? '')?.[1] ?? Number.NaN);
  if (!(minor >= OLDEST_GLIBC_MINOR)) {
    const problem = `its C library is ${glibc ? `glibc ${glibc}` : 'not glibc'}, and TensorFlow's wheels need glibc 2.17`;
    throw new SlothfulError('unsupported', `linux ${arch}`, problem, STOCK);
  }
  if (gpu && wheelArch === 'aarch64') {
    throw new SlothfulError('unsupported', '--gpu', "TensorFlow's arm64 wheel has no CUDA", 'run without --gpu');
  }
  // There is no tensorflow-cpu for arm64; its plain wheel is the CPU one.
  const project = gpu || wheelArch === 'aarch64' ? 'tensorflow' : 'tensorflow-cpu';
  return { project, arch: wheelArch, platforms: platformTags(wheelArch, minor) };
}

/** pip matches a platform tag exactly, so every glibc up to the machine's own is named. */
function platformTags(arch: WheelTarget['arch'], glibcMinor: number): string[] {
  const tags: string[] = [];
  for (let minor = glibcMinor; minor >= OLDEST_GLIBC_MINOR; minor--) tags.push(`manylinux_2_${minor}_${arch}`);
  tags.push(`manylinux2014_${arch}`);
  if (arch === 'x86_64') tags.push('manylinux2010_x86_64', 'manylinux1_x86_64');
  return tags;
}

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  const report: unknown = process.report?.getReport();
  const header: unknown = typeof report === 'object' && report !== null ? Reflect.get(report, 'header') : undefined;
  const glibc: unknown =
    typeof header === 'object' && header !== null ? Reflect.get(header, 'glibcVersionRuntime') : '';
  return {
    platform: process.platform,
    arch: process.arch,
    glibc: typeof glibc === 'string' && glibc ? glibc : undefined,
  };
}
