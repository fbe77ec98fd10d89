namespace SaeUnbox.Models;

/// <summary>
/// Bounds the characters that repairs may look at. Repairs are repeated until nothing changes, and a hostile text can make every
/// pass uncover one more: such a text is left as far repaired as the budget went. Ordinary text takes two passes.
/// </summary>
internal sealed class WorkBudget(long characters)
{
    private long _left = characters;

    public bool Spend(int characters) => (_left -= characters + 1) >= 0;
}
