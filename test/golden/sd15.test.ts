import { goldenSuite } from '../support/golden-suite.ts';

goldenSuite('sd15');
