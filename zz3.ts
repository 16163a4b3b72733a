import { decodeWeight } from './src/io/index.ts';
const n = 20_000_000; const b = new Uint8Array(n*2); for (let i=0;i<b.length;i++) b[i]=(i*7919)&0xff;
for (let k=0;k<4;k++){ const t=process.cpuUsage().user; decodeWeight({name:'w',shape:[n],dtype:'float32',quantization:{dtype:'float16'}}, b, 'x'); const c=process.cpuUsage(); console.log(n/((c.user-t)/1e6)/1e6|0, 'M/s'); }
