import { isObject, type JsonObject } from '../graph/index.ts';

/**
 * A field of what conversion records of the UNet in a model's metadata (`unet`), unchecked. Models that 0.1 wrote have
 * the same fields in camelCase.
 *
 * @param name in snake_case, such as `sample_size`
 */
export function unetField({ unet }: JsonObject, name: string): unknown {
  if (!isObject(unet)) return undefined;
  return unet[name] ?? unet[name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())];
}
