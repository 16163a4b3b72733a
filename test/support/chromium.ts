import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/snap/bin/chromium',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/**
 * Starts the Chromium of this machine, headless: that of `CHROMIUM`, or one in the usual places.
 *
 * @throws Error that says how to get one where there is none: pages are not to go untested
 */
export async function startChromium(): Promise<Browser> {
  const named = process.env.CHROMIUM;
  const executablePath = named ?? PLACES.find((place) => existsSync(place));
  if (!executablePath || !existsSync(executablePath)) {
    const where = named ? `CHROMIUM names ${named}, which is not there` : `none of ${PLACES.join(', ')} is there`;
    throw new Error(
      `no Chromium to test the pages in: ${where}; install one (apt-get install chromium) or set CHROMIUM`,
    );
  }
  // Its sandbox does not start for root, nor in most containers; the pages are our own.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}
