import { goldenSuite } from '../support/golden-suite.ts';

goldenSuite('ssd1b');
