import { isObject } from '../documents/index.ts';
import { type NodeClass, widgetsOf } from './classes.ts';

const CONTROLS: readonly unknown[] = ['fixed', 'increment', 'decrement', 'randomize'];

/** A widget's value, and what becomes of it after each run where the file says so. */
export interface WidgetValue {
  readonly value: unknown;
  readonly control?: string | undefined;
}

/**
 * What stands behind a seed: what becomes of it after each run. Files of ComfyUI's first months have true (random)
 * or false there, those of other programs nothing.
 */
export function controlOf(value: unknown): string | undefined {
  if (typeof value === 'boolean') return value ? 'randomize' : 'fixed';
  return CONTROLS.includes(value) ? String(value) : undefined;
}

/**
 * The values of a saved node by the names of its widgets. As in ComfyUI, values that are too many are passed over, and
 * where one is missing the class's own is taken; without that it is undefined.
 *
 * @param listed `widgets_values`: a list in the order of the widgets, or an object by their names
 */
export function widgetValues(nodeClass: NodeClass, listed: unknown): Map<string, WidgetValue> {
  const values: unknown[] = Array.isArray(listed) ? listed : [];
  const byName = isObject(listed) ? listed : {};
  const named = new Map<string, WidgetValue>();
  let at = 0;
  for (const widget of widgetsOf(nodeClass)) {
    const value = Array.isArray(listed) ? values[at++] : byName[widget.name];
    const control = widget.control && Array.isArray(listed) ? controlOf(values[at]) : undefined;
    if (control !== undefined) at++;
    named.set(widget.name, { value: value === undefined ? widget.default : value, control });
  }
  return named;
}

/** The value of the page's PrimitiveNode: its first. */
export function primitiveValue(listed: unknown): WidgetValue {
  const values: unknown[] = Array.isArray(listed) ? listed : [];
  return { value: values[0], control: controlOf(values[1]) };
}
