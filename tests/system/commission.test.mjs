// commission.test.mjs: the commission of a sale, exact to the last digit: /api/internal/commission.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { start } from '../lib/peygir.mjs';
import { bearers } from '../lib/programs.mjs';
import { Visitor } from '../lib/visitor.mjs';

const COMMISSION = '/api/internal/commission';
const HUGE = `${'1234567890'.repeat(9)}12345678.99`;

let peygir, bearer;

before(async () => {
  peygir = await start({ env: { COMMISSION_RATE: '0.075' } });
  bearer = await bearers(peygir);
});
after(() => peygir?.stop());

const asked = (query, headers = bearer.site) => new Visitor(peygir.base, { headers }).get(COMMISSION + query);

describe('The commission of a sale', () => {
  test('is the amount times COMMISSION_RATE, exactly, however large', async () => {
    assert.deepEqual((await asked('?amount=199.90')).json, { amount: '199.90', rate: '0.075', commission: '14.9925' });
    // 75 thousandths, reckoned with whole numbers of any size.
    const [whole, fraction] = HUGE.split('.'), product = String(BigInt(whole + fraction) * 75n);
    const exact = `${product.slice(0, -5)}.${product.slice(-5)}`.replace(/0+$/, '');
    assert.equal((await asked(`?amount=${HUGE}`)).json.commission, exact);
    assert.equal((await asked('?amount=0')).json.commission, '0');
  });

  test('has as many decimals as asked for, half to even', async () => {
    for (const [amount, decimals, commission] of [['199.90', 2, '14.99'], ['1', 2, '0.08'], ['1.80', 2, '0.14'], ['5', 2, '0.38'], ['7', 2, '0.52'], ['3', 2, '0.22'], ['100', 0, '8'], ['60', 0, '4'], ['2', 18, '0.150000000000000000']]) {
      assert.equal((await asked(`?amount=${amount}&decimals=${decimals}`)).json.commission, commission, amount);
    }
  });

  test('is refused for what is no decimal number, without repeating it', async () => {
    for (const query of ['', '?amount=', '?amount=-1', '?amount=%2B1', '?amount=1e3', '?amount=1,5', '?amount=secret', '?amount=.5', '?amount=5.', '?amount=1.2.3', '?amount=%DB%B1', '?amount=1%20', `?amount=${'1'.repeat(101)}`]) {
      const { status, json } = await asked(query);
      assert.equal(status, 422, query);
      assert.match(json.detail, /^amount must be a decimal number such as 199\.90/);
      assert.doesNotMatch(json.detail, /secret/);
    }
    for (const decimals of ['', '-1', '19', '2.0', 'two', '99999999999999999999']) {
      const { status, json } = await asked(`?amount=1&decimals=${decimals}`);
      assert.equal(status, 422, decimals);
      assert.match(json.detail, /^decimals must be a whole number from 0 to 18/);
    }
    assert.equal((await asked('?amount=1&amount=2')).status, 400);
  });

  test('is told to the host site alone', async () => {
    for (const role of ['bot', 'api']) assert.equal((await asked('?amount=1', bearer[role])).status, 403);
    assert.equal((await asked('?amount=1', {})).status, 401);
  });
});
