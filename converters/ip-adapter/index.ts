export { type IpAdapterFile, type IpAdapterOption, openIpAdapter } from './open.ts';
