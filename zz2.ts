import * as tf from '@tensorflow/tfjs-core';
import { readFileSync } from 'node:fs';
import { loadUNet, chooseBackend } from './src/node.ts';
const status = () => Object.fromEntries(readFileSync('/proc/self/status','utf8').split('\n').filter((l)=>/^(VmHWM|VmRSS|RssAnon|RssFile)/.test(l)).map((l)=>{const [k,v]=l.split(/:\s+/);return [k, (parseInt(v!)/1048576).toFixed(2)+' GiB'];}));
const backend = process.argv[2] as 'native';
await chooseBackend({ backend });
console.log('before', status());
const t = performance.now();
const unet = await loadUNet('/tmp/zz_full', { backend, slothful: process.argv[3] === 'slothful' ? true : undefined });
console.log('loaded', ((performance.now()-t)/1000).toFixed(2), 's', status(), 'fp32', (859520964*4/2**30).toFixed(2), tf.memory().numBytes/2**30, process.memoryUsage().arrayBuffers / 2**30);
if (process.argv[4]) { const s = Number(process.argv[4]); const t1 = performance.now(); const r = unet.predict({sample: tf.randomNormal([1,s,s,4]), timestep: 999, encoder_hidden_states: tf.randomNormal([1,77,768])}); await r.out_sample.data(); console.log('step', ((performance.now()-t1)/1000).toFixed(2), status(), process.memoryUsage().arrayBuffers / 2**30); }
